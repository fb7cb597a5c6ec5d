"""Trio as the event loop of a simulated process; the only place that uses private names of Trio."""
