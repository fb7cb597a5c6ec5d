"""Groups: many independent logs in one server, over one connection to each peer and with one sync for all.

Each group is a replica as in `paxos_impl.replica`, with a leader, members, sessions and snapshots of its own;
the keys are spread over them. `node` runs them, `storage` says how they remember.
"""
