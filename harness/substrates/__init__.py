"""What sim, model and live share: seeds, latency, framing, message faults, errors, lack of progress."""
