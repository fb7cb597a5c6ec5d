"""The search for cycles against the enumeration of all of them, on graphs small enough for that."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers.transactions import scc
from ostrakon.checkers.transactions.consistency import violated
from ostrakon.checkers.transactions.cycle_anomalies import find_cycles
from ostrakon.checkers.transactions.dependency import (
    PROCESS,
    REALTIME,
    RW,
    RW_PREDICATE,
    WR,
    WW,
    type_of,
)
from ostrakon.checkers.transactions.edges import EdgeList, Edges
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.scc import labelled
from ostrakon.checkers.transactions.table import NEVER, Transactions, transactions
from ostrakon.harness.history import History, Op, OpType

Drawn = list[tuple[int, int, int]]


@st.composite
def timed_graphs(draw: st.DrawFn) -> tuple[Transactions, Drawn]:
    """Up to five transactions of two processes, some without end, and dependencies between them."""
    count = draw(st.integers(2, 5))
    ops: list[Op] = []
    running: list[int] = []
    processes = itertools.count(10)
    free = [0, 1]
    started = 0
    while started < count or running:
        if started < count and (not running or draw(st.booleans())):
            is_used_again = bool(free) and draw(st.booleans())
            process = free.pop() if is_used_again else next(processes)
            running.append(process)
            started += 1
            ops.append(Op(len(ops), 0, "invoke", process, "txn", []))
        else:
            process = running.pop(draw(st.integers(0, len(running) - 1)))
            ended: OpType = draw(st.sampled_from(["ok", "ok", "ok", "info"]))
            if process < 10 and ended == "ok":
                free.append(process)
            ops.append(Op(len(ops), 0, ended, process, "txn", []))
    node = st.integers(0, count - 1)
    edge = st.tuples(node, node, st.sampled_from([WW, WR, RW, RW_PREDICATE]))
    edges = draw(st.lists(edge.filter(lambda e: e[0] != e[1]), max_size=7, unique=True))
    return transactions(History(ops)), edges


@given(timed_graphs())
@settings(max_examples=150, deadline=None)
def test_the_models_ruled_out_are_those_that_some_cycle_rules_out(drawn: tuple[Transactions, Drawn]) -> None:
    table, edges = drawn
    cycles = list(all_cycles(table, edges))

    found = searched(table, edges)

    assert violated(found) == violated(type_of(kinds) for kinds in cycles)


@given(timed_graphs())
@settings(max_examples=150, deadline=None)
def test_the_gravest_cycle_found_is_the_shortest_there_is(drawn: tuple[Transactions, Drawn]) -> None:
    table, edges = drawn
    shortest: dict[str, int] = {}
    for kinds in all_cycles(table, edges):
        name = type_of(kinds)
        shortest[name] = min(len(kinds), shortest.get(name, len(kinds)))

    found = searched(table, edges)

    for name, length in found.items():
        graver = [other for other in shortest if other != name and violated([other]) >= violated([name])]
        if not graver:
            assert length == shortest[name]


def searched(table: Transactions, edges: Drawn) -> dict[str, int]:
    """The names of the cycles found, with the length of the shortest."""
    given_edges = EdgeList(len(table))
    for source, target, kind in edges:
        given_edges.add(source, target, kind)
    findings = Findings(table)
    find_cycles(table, given_edges, findings, lambda step, earlier, later: "")
    lengths: dict[str, int] = {}
    for anomaly in findings.anomalies:
        length = len(anomaly.details["cycle"])
        lengths[anomaly.name] = min(length, lengths.get(anomaly.name, length))
    return lengths


def all_cycles(table: Transactions, edges: Drawn) -> Iterator[list[int]]:
    """The kinds of edges along every simple cycle, in every way in which it can be walked."""
    kinds: dict[tuple[int, int], list[int]] = {}
    for source, target, kind in edges:
        kinds.setdefault((source, target), []).append(kind)
    for one, other in itertools.permutations(range(len(table)), 2):
        if table.completed[one] != NEVER and table.completed[one] < table.invoked[other]:
            kinds.setdefault((one, other), []).append(REALTIME)
            if table.process[one] == table.process[other]:
                kinds[one, other].append(PROCESS)
    for cycle in nx.simple_cycles(nx.DiGraph(kinds.keys())):
        steps = zip(cycle, [*cycle[1:], cycle[0]], strict=True)
        yield from (list(walk) for walk in itertools.product(*(kinds[step] for step in steps)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_both_ways_to_find_components_agree(pairs: list[tuple[int, int]]) -> None:
    source = np.array([one for one, _ in pairs], np.int32)
    target = np.array([other for _, other in pairs], np.int32)
    edges = Edges(10, source, target, np.ones(len(pairs), np.int16))

    ours = groups(labelled(edges).tolist())

    graph = nx.DiGraph(pairs)
    graph.add_nodes_from(range(10))
    assert ours == {frozenset(part) for part in nx.strongly_connected_components(graph)}
    if pairs:
        limit, scc._SMALL = scc._SMALL, 0
        try:
            assert ours == groups(labelled(edges).tolist())
        finally:
            scc._SMALL = limit


def groups(labels: list[int]) -> set[frozenset[int]]:
    return {
        frozenset(node for node, its in enumerate(labels) if its == label) for label in dict.fromkeys(labels)
    }
