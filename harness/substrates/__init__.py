"""What sim, model and live share: seeds, latency, framing, message faults, errors, lack of progress."""

CONTROL = "control"
"""The name of the machine that clients and the nemesis run on, beside the nodes."""
