"""Workloads over Paxos: each has a generator, a client and checkers, and is a runnable example."""
