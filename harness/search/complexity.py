"""How much a person has to read to understand a plan; of two plans that fail alike, the simpler is kept."""

from __future__ import annotations

from typing import Any

from ostrakon.harness.plan import Fault, Latency, Plan

Complexity = tuple[float, ...]
"""What matters most comes first, so that nothing is ever traded against it."""

NODES_READABLE, PROPOSALS_READABLE, DEPARTURES_READABLE = 3, 3, 5
"""As many nodes, proposals, and faults and deviations together, as a person understands in a minute."""
_LATENCIES = ("constant", "uniform", "exponential", "lognormal")


def complexity(plan: Plan) -> Complexity:
    """The complexity of a plan; complexities are compared as tuples are."""
    faults, deviations = plan.faults, plan.deviations
    numbers = [
        plan.rate,
        plan.time_limit_s,
        plan.latency.low_ms,
        plan.latency.high_ms,
        *(number for fault in faults for number in _numbers_of(fault)),
        *(number for deviation in deviations for number in (deviation.message, deviation.ms)),
    ]
    return (
        plan.nodes,
        len(faults) + len(deviations),
        len(plan.nemesis),
        plan.buggify,
        sum(map(_size_of_option, plan.options.values())),
        plan.concurrency,
        plan.rate * plan.time_limit_s,
        plan.time_limit_s,
        sum(len(fault.nodes) + len(fault.links) + sum(map(len, fault.grudge.values())) for fault in faults),
        _complexity_of_latency(plan.latency),
        sum(fault.probability not in (0.0, 1.0) for fault in faults),
        sum(map(_digits, numbers)),
        sum(numbers),
        plan.seed,
    )


def is_readable(plan: Plan, *, nodes_max: int = NODES_READABLE) -> bool:
    """Whether a person understands a plan in a minute."""
    return (
        plan.nodes <= nodes_max
        and proposals(plan) <= PROPOSALS_READABLE
        and len(plan.faults) + len(plan.deviations) <= DEPARTURES_READABLE
    )


def proposals(plan: Plan) -> int:
    """How many things clients ask for before the end, about: each one begins with one, unless the plan says
    itself who is asked for what."""
    return len(plan.options.get("asks", ())) or plan.concurrency + round(plan.rate * plan.time_limit_s)


def size_line(plan: Plan) -> str:
    """The size of a plan in words."""
    counts = (
        (plan.nodes, "node"),
        (plan.concurrency, "client"),
        (len(plan.faults), "fault"),
        (len(plan.deviations), "deviation"),
    )
    words = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    ops = max(1, round(plan.rate * plan.time_limit_s))
    return f"{', '.join(words)}, about {ops} op{'' if ops == 1 else 's'} in {plan.time_limit_s:g} s"


def _numbers_of(fault: Fault) -> tuple[float, ...]:
    # A clock that goes right has no rate to be remembered.
    rate = 0.0 if fault.rate == 1.0 else fault.rate
    return fault.at_ms, fault.for_ms, abs(fault.ms), fault.probability, rate, fault.after


def _size_of_option(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple) else 1


def _complexity_of_latency(latency: Latency) -> int:
    return _LATENCIES.index(latency.kind)


def _digits(number: float) -> int:
    """How many digits one has to remember: 1 for 3, 300 and 0.3; none for 0."""
    return len(f"{number:g}".replace(".", "").replace("-", "").strip("0"))
