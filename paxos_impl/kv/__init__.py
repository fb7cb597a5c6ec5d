"""A key-value store as a replicated state machine, with sessions that execute each command once."""
