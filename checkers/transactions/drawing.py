"""A cycle as a graph, for whoever wants to draw or examine it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostrakon.checkers.verdict import Anomaly

if TYPE_CHECKING:
    import networkx as nx


def cycle_graph(anomaly: Anomaly) -> nx.MultiDiGraph[str]:
    """The transactions of a cycle as nodes "T1", "T2", ... and its dependencies as edges.

    Nodes have the attributes `op`, `process` and `value` (the micro-ops), edges `kind` and `why`.

    Raises: ValueError if the anomaly is no cycle.

    >>> from ostrakon.checkers.transactions import list_append
    >>> from ostrakon.checkers.transactions.notation import history
    >>> skew = list_append(history("x:[] y+1 | y:[] x+1")).anomalies[0]
    >>> [(one, other, edge["kind"]) for one, other, edge in cycle_graph(skew).edges(data=True)]
    [('T1', 'T2', 'rw'), ('T2', 'T1', 'rw')]
    """
    import networkx as nx

    if "cycle" not in anomaly.details:
        raise ValueError(f"{anomaly.name} is no cycle of transactions")
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for label, transaction in anomaly.details["transactions"].items():
        graph.add_node(label, **transaction)
    for edge in anomaly.details["cycle"]:
        graph.add_edge(edge["from"], edge["to"], kind=edge["kind"], why=edge["why"])
    return graph
