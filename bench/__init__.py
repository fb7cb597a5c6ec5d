"""Measured figures, each beside a baseline of the same run. `python -m bench` prints them all."""
