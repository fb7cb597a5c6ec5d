"""`python -m paxos_impl.cli` is the `paxos` command."""

from paxos_impl.cli import main

main()
