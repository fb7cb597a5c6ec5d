"""What can be reached in a graph without cycles: sets of nodes as the bits of integers, joined at machine
speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush

Edge = tuple[int, int]


def topological(nodes: int, edges: Iterable[Edge], rank: Sequence[int] | None = None) -> list[int] | None:
    """The nodes in an order that all edges follow, None if there is a cycle; of several free ones the least
    rank.

    >>> topological(3, [(2, 0), (0, 1)])
    [2, 0, 1]
    """
    behind: list[list[int]] = [[] for _ in range(nodes)]
    awaited = [0] * nodes
    for source, target in edges:
        behind[source].append(target)
        awaited[target] += 1
    if rank is None:
        rank = range(nodes)
    ready = [(rank[node], node) for node in range(nodes) if not awaited[node]]
    heapify(ready)
    order = []
    while ready:
        _, node = heappop(ready)
        order.append(node)
        for later in behind[node]:
            awaited[later] -= 1
            if not awaited[later]:
                heappush(ready, (rank[later], later))
    return order if len(order) == nodes else None


def ancestors(order: Sequence[int], edges: Iterable[Edge], nodes: int, begin: int, end: int) -> list[int]:
    """For each node the nodes from `begin` to `end` that lead to it, bit 0 for `begin`; itself not
    counted."""
    before: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in edges:
        before[target].append(source)
    reached = [0] * nodes
    for node in order:
        mask = 0
        for source in before[node]:
            mask |= reached[source]
            if begin <= source < end:
                mask |= 1 << (source - begin)
        reached[node] = mask
    return reached


def bits(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, from low to high."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
