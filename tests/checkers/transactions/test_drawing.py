"""Cycles as graphs, and the examples in docstrings."""

from __future__ import annotations

import doctest
from types import ModuleType

import networkx as nx
import pytest

from ostrakon.checkers.collections import unique_ids
from ostrakon.checkers.run import log_pattern
from ostrakon.checkers.transactions import appends, drawing, list_append, notation, writes
from ostrakon.checkers.transactions.drawing import cycle_graph


def test_a_cycle_is_drawn_with_what_its_transactions_did() -> None:
    anomaly = list_append(notation.history("x+1 ; x:[]")).anomalies[0]

    graph = cycle_graph(anomaly)

    assert nx.is_strongly_connected(graph)
    assert graph.nodes["T1"]["value"] == [["append", "x", 1]]
    assert {edge["kind"] for _, _, edge in graph.edges(data=True)} == {"realtime", "rw"}


def test_what_is_no_cycle_cannot_be_drawn_as_one() -> None:
    anomaly = list_append(notation.history("x:[7]")).anomalies[0]

    with pytest.raises(ValueError, match="garbage-read is no cycle"):
        cycle_graph(anomaly)


@pytest.mark.parametrize(
    "module", [appends, writes, drawing, unique_ids, log_pattern], ids=lambda module: module.__name__
)
def test_the_examples_in_docstrings_are_true(module: ModuleType) -> None:
    failures, tried = doctest.testmod(module)

    assert tried
    assert not failures
