"""Checks of a run as a whole: whether it shows anything, whether it ended, how long answers took."""
