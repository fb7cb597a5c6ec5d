"""Ways to draw what a fault strikes and how hard, as fields of a `Fault`.

Each is a `kind.Draw`, or makes one: a function of the nodes that may be struck and of a source of randomness.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

from ostrakon.harness.faults.kind import Draw


def victims(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """One node half of the time, else any number, all of them included."""
    if not nodes:
        return {"nodes": ()}
    count = 1 if rng.random() < 0.5 else rng.randint(1, len(nodes))
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


def fewer_than_half(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """Fewer than half of the nodes, and at least one: as much damage as the others can repair."""
    count = rng.randint(1, max(1, (len(nodes) - 1) // 2)) if nodes else 0
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


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


def some_messages(ms_max: float) -> Draw:
    """All links half of the time, else those of one node; few messages or many, a little or a lot."""

    def draw(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields: dict[str, Any] = {"probability": round(rng.uniform(0.05, 0.5), 2)}
        if ms_max:
            fields["ms"] = round(ms_max ** rng.uniform(0.3, 1.0), 1)
        if rng.random() < 0.5 and len(nodes) > 1:
            victim = rng.choice(sorted(nodes))
            others = [node for node in nodes if node != victim]
            links = [(victim, node) for node in others] + [(node, victim) for node in others]
            fields |= {"links": tuple(sorted(links)), "shape": f"links of {victim}"}
        return fields

    return draw


def some_pair(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """One link and one message on it: the first that is sent, or one of the next few."""
    pairs = sorted(permutations(nodes, 2))
    if not pairs:
        return {}
    return {
        "links": (rng.choice(pairs),),
        "probability": 1.0,
        "most": 1,
        "after": rng.choice((0, 0, 1, 2, 5)),
    }


def also(draw: Draw, **numbers: Callable[[random.Random], float]) -> Draw:
    """The fields that `draw` gives, and other fields that are drawn as well."""

    def draw_all(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        return {**draw(nodes, rng), **{field: number(rng) for field, number in numbers.items()}}

    return draw_all


def between(low: float, high: float, digits: int | None = None) -> Callable[[random.Random], float]:
    """A number from a range, rounded. It is log-uniform, so every order of magnitude is equally likely."""
    return lambda rng: round(math.exp(rng.uniform(math.log(low), math.log(high))), digits)


def either_way(low: float, high: float) -> Callable[[random.Random], float]:
    """A number from a range, positive or negative."""
    return lambda rng: rng.choice((-1, 1)) * between(low, high, 1)(rng)


SIZES: Mapping[str, Callable[[int, random.Random], int]] = {
    "one": lambda count, rng: 1,
    "minority-third": lambda count, rng: rng.randint(1, max(1, (count - 1) // 3)),
    "minority": lambda count, rng: rng.randint(1, max(1, (count - 1) // 2)),
    "majority": lambda count, rng: count // 2 + 1,
    "all": lambda count, rng: count,
}
"""The words that can follow the colon in a name such as `kill:majority`, and how many nodes each means."""
