"""Variations of a plan that was written by hand: the same faults, a little earlier or longer, and more.

A scenario convicts the bugs that it was made for. Near it lie those that nobody thought of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ostrakon.harness.faults import draw_faults
from ostrakon.harness.faults.registry import SURVIVABLE
from ostrakon.harness.plan import Deviation, Fault, Latency, Plan

_UNCHANGED = 0.3
"""How often all faults stay as they are, and only the seed differs: clients and latencies are drawn anew."""
_ONE_LEFT_OUT, _ON_TIME, _MOVED = 0.25, 0.5, 0.4
"""How often one of the faults is left out; how often all keep their times; and if not, how often each of them
is moved and stretched. A bug often needs all faults of a scenario, at their times."""
_MORE_FAULTS, _DEVIATING = 0.3, 0.5
"""The probabilities of additional faults of any kind, and of deviations of single messages."""
_MESSAGES = 150
"""Deviations affect messages below this number."""


def varied(plan: Plan, rng: random.Random) -> Plan:
    """A variation of a plan. Most variations keep the order and distances of its faults."""
    if rng.random() < _UNCHANGED:
        return replace(plan, nemesis=())
    faults = [*_faults(plan.faults, rng), *_more_faults(plan, rng)]
    return replace(
        plan,
        nemesis=(),  # A varied fault may have no effect, and that must not make the verdict unknown.
        latency=_latency(plan.latency, rng),
        faults=tuple(sorted(faults, key=lambda fault: fault.at_ms)),
        deviations=plan.deviations or _deviations(rng),
    )


def _faults(faults: Sequence[Fault], rng: random.Random) -> Iterator[Fault]:
    left_out = rng.choice(range(len(faults))) if faults and rng.random() < _ONE_LEFT_OUT else None
    moved = 0.0 if rng.random() < _ON_TIME else _MOVED
    for number, fault in enumerate(faults):
        if number == left_out:
            continue
        if rng.random() < moved:
            at_ms = max(0, fault.at_ms + rng.randint(-100, 100))
            fault = replace(fault, at_ms=at_ms, for_ms=max(1, round(fault.for_ms * rng.uniform(0.5, 1.5))))
        yield fault


def _more_faults(plan: Plan, rng: random.Random) -> Sequence[Fault]:
    if rng.random() >= _MORE_FAULTS:
        return ()
    return draw_faults(rng, plan.names, rng.sample(SURVIVABLE, 2), plan.time_limit_s)[:4]


def _latency(latency: Latency, rng: random.Random) -> Latency:
    """The same latency, or a uniform one around its mean."""
    if rng.random() < 0.5:
        return latency
    middle = (latency.low_ms + latency.high_ms) / 2
    return Latency("uniform", round(middle * 0.8, 1), round(middle * 1.2, 1))


def _deviations(rng: random.Random) -> tuple[Deviation, ...]:
    if rng.random() >= _DEVIATING:
        return ()
    messages = sorted(rng.sample(range(_MESSAGES), rng.randint(1, 4)))
    return tuple(
        Deviation(message, "drop") if rng.random() < 0.3 else _late(message, rng) for message in messages
    )


def _late(message: int, rng: random.Random) -> Deviation:
    return Deviation(message, rng.choice(("delay", "duplicate")), round(rng.uniform(1.0, 300.0), 1))
