from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.plan import node_names
from ostrakon.workloads.maelstrom.sets import TOPOLOGIES, neighbours


@given(st.sampled_from(sorted(TOPOLOGIES)), st.integers(1, 30))
def test_neighbours_know_each_other_and_everyone_can_be_reached(kind: str, count: int) -> None:
    nodes = node_names(count)
    found = neighbours(kind, nodes)

    assert list(found) == list(nodes)
    assert all(node in found[other] and node != other for node, others in found.items() for other in others)
    reached, edge = {nodes[0]}, [nodes[0]]
    while edge:
        edge = [other for node in edge for other in found[node] if other not in reached]
        reached.update(edge)
    assert reached == set(nodes)


@pytest.mark.parametrize(
    ("kind", "count", "of_n1"),
    [
        ("grid", 5, ["n2", "n4"]),
        ("line", 3, ["n2"]),
        ("tree3", 9, ["n2", "n3", "n4"]),
        ("total", 3, ["n2", "n3"]),
    ],
)
def test_the_neighbours_of_the_first_node(kind: str, count: int, of_n1: list[str]) -> None:
    assert neighbours(kind, node_names(count))["n1"] == of_n1
