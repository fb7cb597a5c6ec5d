"""The event loops that a simulated process can run."""
