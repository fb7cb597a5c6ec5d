"""Worlds, machines and processes."""
