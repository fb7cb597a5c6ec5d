"""How much a person has to read to understand a plan; of two plans that fail alike, the simpler is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ostrakon.harness.history.plural import count
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
        *(op.at_ms for op in (plan.ops if isinstance(plan.ops, tuple) else ())),
        *_planned_values(plan),
        *(number for fault in faults for number in _numbers_of(fault)),
        *(number for deviation in deviations for number in (deviation.message, deviation.ms)),
    ]
    return (
        plan.nodes,
        len(faults) + len(deviations),
        len(plan.nemesis),
        plan.buggify,
        sum(map(_size_of_option, plan.options.values())),
        _ops_and_clients(plan),
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
    return (
        planned_ops(plan)
        or len(plan.options.get("asks", ()))
        or plan.concurrency + round(plan.rate * plan.time_limit_s)
    )


def size_line(plan: Plan) -> str:
    """The size of a plan in words; deviations are left out where there are none."""
    counts = (
        (plan.nodes, "node"),
        (plan.concurrency, "client"),
        (len(plan.faults), "fault"),
        *([(len(plan.deviations), "deviation")] if plan.deviations else []),
    )
    words = [count(many, noun) for many, noun in counts]
    ops = planned_ops(plan) or max(1, round(plan.rate * plan.time_limit_s))
    about, lasts_s = "about ", plan.time_limit_s
    if isinstance(plan.ops, tuple) and plan.ops:
        about, lasts_s = "", max(op.at_ms for op in plan.ops) / 1000
    return f"{', '.join(words)}, {about}{count(ops, 'op')} in {lasts_s:g} s"


def planned_ops(plan: Plan) -> int:
    """How many operations the plan lists; 0 if it leaves them to the workload's generators."""
    return len(plan.ops) if isinstance(plan.ops, tuple) else 0


def _ops_and_clients(plan: Plan) -> float:
    # A person reads a list of operations; what a generator makes of a seed nobody can see in the plan.
    return planned_ops(plan) if isinstance(plan.ops, tuple) else math.inf


def _numbers_of(fault: Fault) -> tuple[float, ...]:
    # A clock that goes right has no rate to be remembered.
    rate = 0.0 if fault.rate == 1.0 else fault.rate
    return fault.at_ms, fault.for_ms, abs(fault.ms), fault.probability, rate, fault.after


def _size_of_option(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple) else 1


def _complexity_of_latency(latency: Latency) -> int:
    return _LATENCIES.index(latency.kind)


def _planned_values(plan: Plan) -> Iterator[float]:
    """The numbers in the values of listed operations."""

    def numbers(value: Any) -> Iterator[float]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield abs(value)
        elif isinstance(value, list | tuple):
            for part in value:
                yield from numbers(part)

    for op in plan.ops if isinstance(plan.ops, tuple) else ():
        yield from numbers(op.value)


def _digits(number: float) -> int:
    """How many digits one has to remember: 1 for 3, 300 and 0.3; none for 0."""
    return len(f"{number:g}".replace(".", "").replace("-", "").strip("0"))
