"""Locks, leases and registrations: what one client holds, nobody else does."""
