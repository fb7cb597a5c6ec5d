"""A Paxos that people can run. It knows nothing of the harness that tests it."""
