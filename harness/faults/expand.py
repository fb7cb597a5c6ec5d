"""Faults that consist of many: what was aimed and timed as one becomes simpler ones within its time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from ostrakon.harness.plan import Fault

Expand = Callable[[Fault, random.Random], Sequence[Fault]]
"""Makes of one fault, as it was aimed, those that it consists of: within its time, in order."""


def whole(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Nothing but itself."""
    return (fault,)


def swizzle(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Clog one link after another, and let them go one after another in another order.

    Will Wilson, "Testing Distributed Systems w/ Deterministic Simulation", Strange Loop 2014.
    """
    if fault.target:
        return (fault,)
    links = rng.sample(fault.links, len(fault.links))
    begins = sorted(rng.randint(0, fault.for_ms // 2) for _ in links)
    ends = [rng.randint(fault.for_ms // 2 + 1, max(fault.for_ms // 2 + 1, fault.for_ms)) for _ in links]
    return [
        replace(fault, at_ms=fault.at_ms + begin, for_ms=min(end, fault.for_ms) - begin, links=(link,))
        for link, begin, end in zip(links, begins, ends, strict=True)
        if min(end, fault.for_ms) > begin
    ]


def restart_loop(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Down for a moment and up for a moment, again and again."""
    return list(_again_and_again(fault, max(2, round(fault.for_ms / rng.uniform(2, 12)))))


def strobe(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """There and back, again and again."""
    return list(_again_and_again(fault, max(2, round(fault.for_ms / rng.uniform(2, 12)))))


def _again_and_again(fault: Fault, period_ms: int) -> Iterator[Fault]:
    """The fault for the first half of each period, as often as that fits."""
    for begin in range(0, fault.for_ms - period_ms // 2 + 1, period_ms):
        yield replace(fault, at_ms=fault.at_ms + begin, for_ms=max(1, period_ms // 2))
