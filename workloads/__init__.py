"""What to do to a system and how to judge it: generator, client and checkers, each a runnable example."""
