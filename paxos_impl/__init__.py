"""A Paxos that people can run. It knows nothing of the harness that tests it.

`core` decides and never waits: begin with `core.rules`, which reads like the paper. `node.serve` runs an
instance of it on Trio; `client` asks instances, `registry` and `enroll` bring them together, and `cli` is
the `paxos` command.
"""
