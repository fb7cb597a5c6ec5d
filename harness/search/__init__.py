"""Finds plans that fail, and makes them small: swarm, soak, conviction, shrink."""
