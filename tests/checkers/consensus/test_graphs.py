"""Happens-before, quickly for a few events, is what it is by definition for all."""

from __future__ import annotations

from random import Random
from typing import Any

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers.consensus.graphs import derivation, happens_before, votes
from ostrakon.checkers.consensus.properties import judge
from ostrakon.harness.history import Trace

from .notation import trace
from .world import random_trace


def lamport(events: Trace) -> nx.DiGraph[Any]:
    """Happens-before between all events, as defined: program order, messages, and what follows."""
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_nodes_from(range(len(events)))
    for at, event in enumerate(events):
        for earlier in range(at):
            same_node = events[earlier].node == event.node
            sent = event.cause is not None and events[earlier].message == event.cause
            if same_node or sent:
                graph.add_edge(earlier, at)
    return nx.transitive_closure_dag(graph)


@given(st.integers(0, 2**32 - 1))
def test_happens_before_is_lamports_less_what_follows(seed: int) -> None:
    events = random_trace(seed, steps=80)
    among = sorted(Random(seed).sample(range(len(events)), k=min(8, len(events))))

    found = happens_before(events, among)

    expected = nx.transitive_reduction(lamport(events).subgraph(among))
    assert set(found.edges) == set(expected.edges)
    assert set(found) == set(among)


def test_among_no_events_nothing_happened_before() -> None:
    assert not happens_before((), [])


def test_a_vote_joins_acceptor_and_proposal() -> None:
    graph = votes(judge(trace("1 proposes 1.1=x; 12 votes 1.1=x; 3 votes 2.2=y")).seen, 0)

    assert set(graph[(1, 1), "x"]) == {"n1", "n2"}
    assert set(graph["n3"]) == {((2, 2), "y")}


def test_a_proposal_comes_from_those_that_its_promises_report() -> None:
    told = "1 proposes 1.1=x; 1 votes 1.1=x; 1 promises 2.2 telling 1.1=x; 2 promises 2.2; 2 proposes 2.2=x"

    graph = derivation(judge(trace(told)).seen, 0)

    assert set(graph.edges) == {(((1, 1), "x"), ((2, 2), "x"))}
