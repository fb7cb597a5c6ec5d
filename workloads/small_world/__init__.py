"""Explores the core in worlds so small that every execution can be tried."""
