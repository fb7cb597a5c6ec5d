"""Disks of real processes: a FUSE file system that loses what was not synced, and fails as a fault asks."""
