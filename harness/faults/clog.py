"""Clogged links: nothing arrives and nothing is lost; when the fault ends, everything arrives, in order."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as replace_fields

from ostrakon.harness.faults.cluster import Holding, Links
from ostrakon.harness.faults.draw import some_links
from ostrakon.harness.faults.effect import ActiveFault, Effect
from ostrakon.harness.faults.kind import FaultKind, aim_at_links
from ostrakon.harness.plan import Fault


@contextmanager
def clogged(links: Links[Any, Any], between: Collection[tuple[str, str]]) -> Iterator[ActiveFault]:
    """Keep back what these senders send to these receivers; at the end it arrives at once, in order."""
    if not isinstance(links, Holding):
        yield ActiveFault(Effect, lambda: "this network cannot keep messages back")
        return
    hold = links.hold(between)
    try:
        yield ActiveFault(
            lambda: Effect(messages=hold.messages), lambda: "no message arrived on the links it clogged"
        )
    finally:
        links.release(hold)


def swizzle(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Clog one link after another, and release them one after another in another order.

    Will Wilson, "Testing Distributed Systems w/ Deterministic Simulation", Strange Loop 2014.
    """
    if fault.target:
        return (fault,)
    links = rng.sample(fault.links, len(fault.links))
    begins = sorted(rng.randint(0, fault.for_ms // 2) for _ in links)
    ends = [rng.randint(fault.for_ms // 2 + 1, max(fault.for_ms // 2 + 1, fault.for_ms)) for _ in links]
    return [
        replace_fields(fault, at_ms=fault.at_ms + begin, for_ms=min(end, fault.for_ms) - begin, links=(link,))
        for link, begin, end in zip(links, begins, ends, strict=True)
        if min(end, fault.for_ms) > begin
    ]


CLOG = FaultKind(
    "clog",
    "messages are held back, and then all arrive",
    lambda fault, cluster: clogged(cluster.network, cluster.links(fault)),
    some_links,
    applies_to="links",
    aim=aim_at_links,
    ms_max=2000,
    colour="clog",
    groups=("all",),
)
SWIZZLE = replace(
    CLOG,
    name="swizzle",
    variant_of="clog",
    about="links are clogged one by one, and released in another order",
    expand=swizzle,
    ms_min=200,
    groups=(),
)
