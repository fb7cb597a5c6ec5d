"""The core in worlds so small that everything that can happen in them is tried."""
