"""`python -m ostrakon.paxos_impl.cli` is the `paxos` command."""

from ostrakon.paxos_impl.cli import main

main()
