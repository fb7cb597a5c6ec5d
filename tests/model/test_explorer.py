"""What the explorer finds, it finds by a shortest path; and it finds just what Stateright finds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.model import explore
from tests.model.stateright_paxos import StaterightPaxos, has_chosen, is_linearizable

Edges = dict[int, list[int]]


class Wired:
    """Any finite graph as a model, its edges as actions."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges

    def initial(self) -> Iterator[int]:
        yield 0

    def successors(self, state: int) -> Iterator[tuple[str, int]]:
        for after in self.edges.get(state, ()):
            yield f"{state}-{after}", after


graphs = st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=4), max_size=13)


def test_single_decree_paxos_has_as_many_states_as_stateright_says() -> None:
    found = explore(
        StaterightPaxos(),
        always={"linearizable": is_linearizable},
        sometimes={"value chosen": has_chosen},
    )

    assert found.exhausted
    assert found.states == 16_668
    assert not found.violated
    assert len(found.reached["value chosen"].actions) == 8


@given(graphs)
def test_every_state_that_can_be_reached_is_visited_once(edges: Edges) -> None:
    found = explore(Wired(edges))

    reachable = nx.single_source_shortest_path_length(_graph(edges), 0)
    assert found.exhausted
    assert found.states == len(reachable)
    assert found.depth == max(reachable.values())
    assert found.transitions == sum(len(edges.get(state, ())) for state in reachable)


@given(graphs, st.integers(0, 12))
def test_a_violation_comes_with_a_shortest_path(edges: Edges, bad: int) -> None:
    found = explore(Wired(edges), always={"never bad": lambda state: state != bad})

    distances = nx.single_source_shortest_path_length(_graph(edges), 0)
    assert bool(found.violated) == (bad in distances)
    if found.violated:
        path = found.violated["never bad"]
        assert len(path.actions) == distances[bad]
        assert path.states[0] == 0
        assert path.end == bad
        assert list(path.actions) == [f"{a}-{b}" for a, b in pairwise(path.states)]


def test_at_the_limit_it_says_that_there_may_be_more() -> None:
    found = explore(Wired({0: [1], 1: [2], 2: [3]}), states_max=2)

    assert found.states == 2
    assert not found.exhausted


@pytest.mark.parametrize("hope", [2, 9])
def test_what_sometimes_holds_is_reached_or_not(hope: int) -> None:
    found = explore(Wired({0: [1], 1: [2]}), sometimes={"there": lambda state: state == hope})

    assert ("there" in found.reached) == (hope == 2)


def _graph(edges: Edges) -> nx.DiGraph[Any]:
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_node(0)
    graph.add_edges_from((state, after) for state, afters in edges.items() for after in afters)
    return graph
