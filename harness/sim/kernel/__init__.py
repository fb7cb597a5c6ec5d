"""The event kernel: time, clocks, the order of choices, and the log of them."""
