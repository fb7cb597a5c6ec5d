"""Partitions: some nodes do not get the messages of others, as a grudge says."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as replace_fields

from ostrakon.harness.faults import grudge as grudges
from ostrakon.harness.faults.cluster import CutT, Links
from ostrakon.harness.faults.effect import ActiveFault, Effect
from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.faults.kind import Draw, FaultKind
from ostrakon.harness.plan import Fault

GrudgeShape = Callable[[Sequence[str], random.Random], Grudge]


@contextmanager
def partition(links: Links[CutT, Any], grudge: Grudge) -> Iterator[ActiveFault]:
    """The receivers that a grudge names do not get the messages of its senders."""
    cut = links.cut(grudge)
    cuts = any(grudge.values())
    why = "no message was sent over the links it cut" if cuts else "it cut no link"
    try:
        yield ActiveFault(lambda: Effect(messages=cut.messages), lambda: why)
    finally:
        links.mend(cut)


def _one_way(nodes: Sequence[str], rng: random.Random) -> Grudge:
    if len(nodes) < 2:
        return {}
    victim = rng.choice(sorted(nodes))
    return rng.choice([grudges.send_only, grudges.receive_only])(nodes, victim)


def _bridge(nodes: Sequence[str], rng: random.Random) -> Grudge:
    return grudges.bridge(rng.sample(sorted(nodes), len(nodes)))


SHAPES: Mapping[str, tuple[GrudgeShape, str]] = {
    "halves": (lambda nodes, rng: grudges.halves(nodes), "the first half of the nodes against the second"),
    "random-halves": (grudges.random_halves, "two halves, drawn anew each time"),
    "one": (grudges.one, "one node against all others"),
    "minority": (grudges.minority, "fewer than half of the nodes against the others"),
    "majority": (grudges.majority, "the barest majority against the others"),
    "majorities-ring": (grudges.majorities_ring, "every node hears a majority, and no two the same"),
    "bridge": (_bridge, "two halves, and one node that both hear"),
    "one-way": (_one_way, "one node is heard and hears nobody, or hears and is not heard"),
}
"""The shapes of partitions by name, each with a clause about it."""


def _shaped(shape: str) -> Draw:
    draw, _ = SHAPES[shape]
    return lambda nodes, rng: {"grudge": draw(nodes, rng), "shape": shape}


def _any_shape(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    return _shaped(rng.choice(sorted(SHAPES)))(nodes, rng)


def _aimed_shape(name: str) -> Draw:
    """How a partition cuts off the nodes that it is aimed at when it begins."""
    shapes = {"one-way": ("send-only", "receive-only"), "bridge": ("bridge",)}.get(name, ("",))
    return lambda nodes, rng: {"shape": rng.choice(shapes)}


def _aim(fault: Fault, struck: Sequence[str], nodes: Sequence[str]) -> Fault:
    """The struck nodes against the others, as the shape of the fault says."""
    return replace_fields(fault, grudge=_cut_off(fault.shape, [n for n in nodes if n in struck], nodes))


def _cut_off(shape: str, struck: Sequence[str], nodes: Sequence[str]) -> Grudge:
    others = [node for node in nodes if node not in struck] if struck else []
    match shape:
        case _ if not struck or not others:
            return {}
        case "send-only":
            return grudges.one_way(others, struck)
        case "receive-only":
            return grudges.one_way(struck, others)
        case "bridge":
            middle = len(others) // 2
            return grudges.complete([others[:middle], others[middle:]])
    return grudges.isolate(nodes, struck)


PARTITION = FaultKind(
    "partition",
    "a partition of any shape",
    lambda fault, cluster: partition(cluster.network, fault.grudge),
    _any_shape,
    applies_to="links",
    aim=_aim,
    draw_aimed=_aimed_shape("partition"),
    ms_min=200,
    ms_max=2000,
    colour="partition",
    groups=("all",),
)
PARTITIONS = tuple(
    replace(
        PARTITION,
        name=name,
        variant_of="partition",
        about=f"a partition: {about}",
        draw=_shaped(name),
        draw_aimed=_aimed_shape(name),
        groups=(),
    )
    for name, (_, about) in SHAPES.items()
)
"""The same, each of one shape."""
