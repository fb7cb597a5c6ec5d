"""What keeps a simulated process from the real world."""
