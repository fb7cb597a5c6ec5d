"""Aiming: whom a fault of a kind strikes, and how hard, drawn for a cluster as fields of a `Fault`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

from ostrakon.harness.faults import grudge
from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.faults.target import aimed
from ostrakon.harness.plan import Fault

Aim = Callable[[Sequence[str], random.Random], Mapping[str, Any]]
"""Given the nodes that may be struck, the fields of a `Fault` that say whom it strikes and how hard."""
Shape = Callable[[Sequence[str], random.Random], Grudge]


def shaped(shape: str, draw: Shape) -> Aim:
    """Parted as `draw` draws it."""
    return lambda nodes, rng: {"grudge": draw(nodes, rng), "shape": shape}


def _one_way(nodes: Sequence[str], rng: random.Random) -> Grudge:
    if len(nodes) < 2:
        return {}
    victim = rng.choice(sorted(nodes))
    return rng.choice([grudge.send_only, grudge.receive_only])(nodes, victim)


def _bridge(nodes: Sequence[str], rng: random.Random) -> Grudge:
    return grudge.bridge(rng.sample(sorted(nodes), len(nodes)))


SHAPES: Mapping[str, tuple[Shape, str]] = {
    "halves": (lambda nodes, rng: grudge.halves(nodes), "the first half of the nodes against the second"),
    "random-halves": (grudge.random_halves, "two halves, drawn anew each time"),
    "one": (grudge.one, "one node against all others"),
    "minority": (grudge.minority, "fewer than half of the nodes against the others"),
    "majority": (grudge.majority, "the barest majority against the others"),
    "majorities-ring": (grudge.majorities_ring, "every node hears a majority, and no two the same"),
    "bridge": (_bridge, "two halves, and one node that both hear"),
    "one-way": (_one_way, "one node is heard and hears nobody, or hears and is not heard"),
}
"""The shapes of partitions by name, each with a clause about it."""


def any_shape(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """Parted in one of the shapes."""
    shape = rng.choice(sorted(SHAPES))
    return shaped(shape, SHAPES[shape][0])(nodes, rng)


def victims(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """One node half of the time, else any number, all of them included."""
    if not nodes:
        return {"nodes": ()}
    count = 1 if rng.random() < 0.5 else rng.randint(1, len(nodes))
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


def fewer_than_half(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """Fewer than half of the nodes, and at least one: as much damage as can be made good again."""
    count = rng.randint(1, max(1, (len(nodes) - 1) // 2)) if nodes else 0
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


def also(aim: Aim, **draws: Callable[[random.Random], float]) -> Aim:
    """Aimed as by `aim`, with other fields drawn beside."""

    def aim_and_draw(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        return {**aim(nodes, rng), **{field: draw(rng) for field, draw in draws.items()}}

    return aim_and_draw


def between(low: float, high: float, digits: int | None = None) -> Callable[[random.Random], float]:
    """A number of any magnitude in a range, rounded."""
    return lambda rng: round(math.exp(rng.uniform(math.log(low), math.log(high))), digits)


def either_way(low: float, high: float) -> Callable[[random.Random], float]:
    """The same, forward or back."""
    return lambda rng: rng.choice((-1, 1)) * between(low, high, 1)(rng)


def some_links(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """The links of one node half of the time, to it, from it or both; else any."""
    pairs = sorted(permutations(nodes, 2))
    if not pairs:
        return {}
    victim, ends = rng.choice(sorted(nodes)), rng.choice(((0,), (1,), (0, 1)))
    if rng.random() < 0.5:
        links = [pair for pair in pairs if any(pair[end] == victim for end in ends)]
        return {"links": tuple(links), "shape": f"links of {victim}"}
    return {"links": tuple(sorted(rng.sample(pairs, rng.randint(1, len(pairs)))))}


def some_messages(ms_max: float) -> Aim:
    """All links half of the time, else those of one node; few messages or many, a little or a lot."""

    def aim(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields: dict[str, Any] = {"probability": round(rng.uniform(0.05, 0.5), 2)}
        if ms_max:
            fields["ms"] = round(ms_max ** rng.uniform(0.3, 1.0), 1)
        if rng.random() < 0.5 and len(nodes) > 1:
            victim = rng.choice(sorted(nodes))
            others = [node for node in nodes if node != victim]
            links = [(victim, node) for node in others] + [(node, victim) for node in others]
            fields |= {"links": tuple(sorted(links)), "shape": f"links of {victim}"}
        return fields

    return aim


def some_pair(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """One link, and on it one message, the first that comes along or one of the next."""
    pairs = sorted(permutations(nodes, 2))
    if not pairs:
        return {}
    return {
        "links": (rng.choice(pairs),),
        "probability": 1.0,
        "most": 1,
        "after": rng.choice((0, 0, 1, 2, 5)),
    }


SIZES: Mapping[str, Callable[[int, random.Random], int]] = {
    "one": lambda count, rng: 1,
    "minority-third": lambda count, rng: rng.randint(1, max(1, (count - 1) // 3)),
    "minority": lambda count, rng: rng.randint(1, max(1, (count - 1) // 2)),
    "majority": lambda count, rng: count // 2 + 1,
    "all": lambda count, rng: count,
}
"""How many of a cluster's nodes are meant by a word."""


def so_many(aim: Aim, kind: str, size: str) -> Aim:
    """Aimed as by `aim`, but at as many nodes as a word of `SIZES` says, drawn at random."""

    def aim_at_so_many(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields = dict(aim(nodes, rng))
        if not nodes:
            return fields
        struck = rng.sample(sorted(nodes), min(len(nodes), SIZES[size](len(nodes), rng)))
        fault = aimed(Fault(kind, 0, 0, shape=fields.get("shape", "")), struck, nodes)
        return {**fields, "shape": size, "nodes": fault.nodes, "links": fault.links, "grudge": fault.grudge}

    return aim_at_so_many


def at_target(aim: Aim, target: str) -> Aim:
    """Aimed as by `aim`, but at what is found out when the fault begins; see `target`."""

    def aim_at_target(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields = {**aim(nodes, rng), "target": target}
        return {name: value for name, value in fields.items() if name not in ("nodes", "links", "grudge")}

    return aim_at_target
