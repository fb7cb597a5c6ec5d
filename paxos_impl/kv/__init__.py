"""A key-value store as a replicated state machine: what it does, exactly once, whoever asks how often."""
