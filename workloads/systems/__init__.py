"""Databases of others as systems under test: an adapter for each, and what clients do with it."""
