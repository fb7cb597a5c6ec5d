"""Shapes of partitions: which node drops whose messages, as data.

A grudge maps a receiver to the senders whose messages it does not get. It has a direction: to cut a link both
ways takes an entry for each end. A node that hears all others has no entry.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence

Grudge = Mapping[str, tuple[str, ...]]


def complete(components: Iterable[Collection[str]]) -> Grudge:
    """Nodes hear only nodes of their own component."""
    parts = [sorted(part) for part in components]
    everyone = [node for part in parts for node in part]
    return _grudge({node: [peer for peer in everyone if peer not in part] for part in parts for node in part})


def halves(nodes: Sequence[str]) -> Grudge:
    """The first half, which is the smaller one, against the second."""
    middle = len(nodes) // 2
    return complete([nodes[:middle], nodes[middle:]])


def random_halves(nodes: Sequence[str], rng: random.Random) -> Grudge:
    """Two halves drawn at random."""
    return halves(_shuffled(nodes, rng))


def isolate(nodes: Sequence[str], victims: Collection[str]) -> Grudge:
    """The victims against all others."""
    return complete([[n for n in nodes if n in victims], [n for n in nodes if n not in victims]])


def one(nodes: Sequence[str], rng: random.Random) -> Grudge:
    """One node against all others."""
    return isolate(nodes, [rng.choice(sorted(nodes))])


def minority(nodes: Sequence[str], rng: random.Random) -> Grudge:
    """Fewer than half of the nodes, but at least one, against the others; no node if there are only two."""
    most = (len(nodes) - 1) // 2
    return isolate(nodes, _shuffled(nodes, rng)[: rng.randint(1, most)]) if most else {}


def majority(nodes: Sequence[str], rng: random.Random) -> Grudge:
    """The smallest majority against the others."""
    return isolate(nodes, _shuffled(nodes, rng)[: majority_of(nodes)])


def majorities_ring(nodes: Sequence[str], rng: random.Random) -> Grudge:
    """Every node hears a majority, itself included, and no two nodes hear the same one.

    Up to five nodes stand in a ring, and each hears the smallest majority around it. In a ring of three that
    is one neighbour, so links are cut in one direction. With more nodes, links are mended at random, least
    connected nodes first, until all hear a majority; these links work in both directions. Fewer than three
    nodes do not have two majorities, so all of them hear each other.
    """
    if len(nodes) < 3:
        return {}
    if len(nodes) <= 5:
        return _ring(_shuffled(nodes, rng))
    for _ in range(_DRAWS):
        heard = _balanced(nodes, rng)
        if len(set(heard.values())) == len(nodes):
            return invert(heard, nodes)
    return _ring(_shuffled(nodes, rng), odd=True)


def bridge(nodes: Sequence[str]) -> Grudge:
    """Two halves that do not hear each other; the node in the middle is heard by both and hears both."""
    middle = len(nodes) // 2
    return complete([nodes[:middle], nodes[middle + 1 :]])


def one_way(senders: Collection[str], receivers: Collection[str]) -> Grudge:
    """Messages from the senders do not reach the receivers; messages in the other direction do."""
    return _grudge({to: [sender for sender in senders if sender != to] for to in receivers})


def send_only(nodes: Sequence[str], victim: str) -> Grudge:
    """The victim is heard by all and hears nobody."""
    return one_way(nodes, [victim])


def receive_only(nodes: Sequence[str], victim: str) -> Grudge:
    """The victim hears everyone and is heard by nobody."""
    return one_way([victim], nodes)


def invert(heard: Mapping[str, Collection[str]], nodes: Sequence[str]) -> Grudge:
    """The grudge that leaves each node hearing exactly these nodes and itself."""
    return _grudge({node: [n for n in nodes if n != node and n not in heard.get(node, ())] for node in nodes})


def union(*grudges: Grudge) -> Grudge:
    """The grudge that cuts what any of these cuts."""
    cut: dict[str, list[str]] = {}
    for grudge in grudges:
        for receiver, senders in grudge.items():
            cut.setdefault(receiver, []).extend(senders)
    return _grudge(cut)


def hears(grudge: Grudge, node: str, nodes: Sequence[str]) -> frozenset[str]:
    """The nodes, itself included, whose messages reach a node."""
    return frozenset(nodes) - frozenset(grudge.get(node, ()))


def is_symmetric(grudge: Grudge) -> bool:
    """Whether every link is cut both ways or not at all."""
    return all(to in grudge.get(sender, ()) for to, senders in grudge.items() for sender in senders)


def majority_of(nodes: Collection[str]) -> int:
    """How many nodes are a majority."""
    return len(nodes) // 2 + 1


_DRAWS = 32
"""After so many draws of links, a ring is used instead, which always works."""


def _ring(nodes: Sequence[str], *, odd: bool = False) -> Grudge:
    """Each node hears the majority around it; with `odd`, one node more where that makes links work both
    ways."""
    size = majority_of(nodes)
    size += odd and size % 2 == 0
    before = (size - 1) // 2
    heard = {
        node: [nodes[(at - before + step) % len(nodes)] for step in range(size)]
        for at, node in enumerate(nodes)
    }
    return invert(heard, nodes)


def _balanced(nodes: Sequence[str], rng: random.Random) -> dict[str, frozenset[str]]:
    """Two-way links at random, least connected nodes first, until everyone hears a majority."""
    heard: dict[str, set[str]] = {node: {node} for node in sorted(nodes)}
    while True:
        loneliest = min(heard, key=lambda node: (len(heard[node]), rng.random()))
        if len(heard[loneliest]) >= majority_of(nodes):
            return {node: frozenset(peers) for node, peers in heard.items()}
        strangers = [node for node in heard if node not in heard[loneliest]]
        friend = min(strangers, key=lambda node: (len(heard[node]), rng.random()))
        heard[loneliest].add(friend)
        heard[friend].add(loneliest)


def _shuffled(nodes: Sequence[str], rng: random.Random) -> list[str]:
    return rng.sample(sorted(nodes), len(nodes))


def _grudge(cut: Mapping[str, Iterable[str]]) -> Grudge:
    return {node: tuple(sorted(set(cut[node]))) for node in sorted(cut) if cut[node]}
