"""Clients of Basic Paxos and of replicated state machines."""
