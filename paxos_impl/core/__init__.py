"""The sans-IO core: `step(state, event) -> (state, effects)`, and nothing that waits."""
