"""Strongly connected components: where the cycles are, found in flat arrays before anything slower looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import numpy as np

from ostrakon.checkers.transactions.dependency import ANTI, VIA
from ostrakon.checkers.transactions.edges import Edges, Nodes

_SMALL = 20_000
"""Below so many edges, importing scipy takes longer than doing without."""
_TINY = 500
"""Below so many edges, doing without is quicker even where scipy has been imported."""


def cyclic_parts(edges: Edges) -> Edges:
    """Only the edges that are part of some cycle."""
    labels = labelled(edges)
    return edges.where(labels[edges.source] == labels[edges.target])


def components(edges: Edges) -> Iterator[Edges]:
    """The cycles' edges, one strongly connected component after the other, the smaller ones first."""
    label_of = labelled(edges)
    inner = edges.where(label_of[edges.source] == label_of[edges.target])
    if not len(inner):
        return
    labels = label_of[inner.source]
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    parts = np.split(order, starts[1:])
    for part in sorted(parts, key=lambda part: (len(part), int(inner.source[part].min()))):
        yield Edges(inner.nodes, inner.source[part], inner.target[part], inner.kind[part])


def components_apart(edges: Edges) -> Iterator[Edges]:
    """The edges of cycles in which no two anti-dependencies are adjacent, in time linear in the edges.

    Each node is there twice, reached by an anti-dependency or not; an anti-dependency leads only from the
    node that was not reached by one. So the strongly connected components are those of walks without two in
    a row."""
    anti, via = (edges.kind & ANTI) != 0, edges.kind == VIA
    named, ends = np.unique(np.concatenate((edges.source, edges.target)), return_inverse=True)
    from_, to = np.split(ends.astype(np.int32), 2)
    again = len(named)
    pairs = [
        (from_[~anti], to[~anti], ~anti),
        (from_[~anti & ~via] + again, to[~anti & ~via], ~anti & ~via),
        (from_[via] + again, to[via] + again, via),
        (from_[anti], to[anti] + again, anti),
    ]
    source = np.concatenate([source for source, _, _ in pairs])
    target = np.concatenate([target for _, target, _ in pairs])
    original = np.concatenate([np.flatnonzero(which) for _, _, which in pairs])
    labels = labelled(Edges(2 * again, source, target, np.ones(len(source), np.int16)))
    kept = np.zeros(len(edges), bool)
    kept[original[labels[source] == labels[target]]] = True
    yield from components(edges.where(kept))


def labelled(edges: Edges) -> Nodes:
    """A number for each node, the same for two nodes that reach each other."""
    if len(edges) == 0:
        return np.arange(edges.nodes, dtype=np.int32)
    if len(edges) < (_TINY if "scipy.sparse.csgraph" in sys.modules else _SMALL):
        return _tarjan(edges)
    import scipy.sparse as sparse
    from scipy.sparse.csgraph import connected_components

    shape = (edges.nodes, edges.nodes)
    matrix = sparse.csr_matrix((np.ones(len(edges), np.int8), (edges.source, edges.target)), shape=shape)
    _, labels = connected_components(matrix, directed=True, connection="strong")
    return np.asarray(labels, np.int32)


def _tarjan(edges: Edges) -> Nodes:
    """Tarjan's algorithm without recursion; nodes without edges keep a label of their own."""
    successors: dict[int, list[int]] = {}
    for source, target in zip(edges.source.tolist(), edges.target.tolist(), strict=True):
        successors.setdefault(source, []).append(target)
    found: dict[int, int] = {}
    lowest: dict[int, int] = {}
    label: dict[int, int] = {}
    waiting: list[int] = []
    for root in successors:
        if root in found:
            continue
        found[root] = lowest[root] = len(found)
        waiting.append(root)
        path = [(root, iter(successors[root]))]
        while path:
            node, rest = path[-1]
            for target in rest:
                if target not in found:
                    found[target] = lowest[target] = len(found)
                    waiting.append(target)
                    path.append((target, iter(successors.get(target, ()))))
                    break
                if target not in label:
                    lowest[node] = min(lowest[node], found[target])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == found[node]:
                    while node not in label:
                        label[waiting.pop()] = node
    labels = np.arange(edges.nodes, dtype=np.int32)
    labels[list(label)] = list(label.values())
    return labels


def strong_parts(nodes: int, pairs: Iterable[tuple[int, int]]) -> list[dict[int, list[int]]]:
    """The successors within each strongly connected component that has a cycle, the smallest component
    first."""
    ends = np.array(list(pairs), np.int32).reshape(-1, 2)
    edges = Edges(nodes, ends[:, 0], ends[:, 1], np.ones(len(ends), np.int16))
    parts = []
    for part in components(edges):
        behind: dict[int, list[int]] = {}
        for source, target in zip(part.source.tolist(), part.target.tolist(), strict=True):
            behind.setdefault(source, []).append(target)
        parts.append(behind)
    return parts
