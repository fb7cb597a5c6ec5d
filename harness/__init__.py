"""Runs clusters under faults and records what happened."""
