"""Finds plans that fail, and makes them small.

`swarm` draws a plan from a seed, `soak` tries seeds on a `pool` of workers and records them in a
`campaign`, `conviction` measures how soon seeded bugs are found, `shrink` makes a failing plan as small as
it gets and `regression` makes a test of it.
"""
