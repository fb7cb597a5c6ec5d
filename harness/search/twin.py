"""Twins: repetitions in simulation of a trial that failed on the model.

In simulation, latencies and timeouts are drawn in another order, so the same plan gives another schedule. If
the plan does not fail there with its own seed, it mostly does with one of the next seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.outcome import Trial, reason_of

TWINS = 40
"""The number of seeds that are tried."""
_APART = 1000
"""The distance between two of these seeds."""


def failing_twins(
    trial: Trial, run: Callable[[Plan], Trial], *, enough: Callable[[], bool] = lambda: False
) -> Iterator[Trial]:
    """Simulated trials with the same verdict as a trial on the model.

    Trials with the same reason come first. Those with other reasons follow when all seeds were tried, or when
    `enough` returns true.
    """
    others: list[Trial] = []
    for number in range(TWINS):
        if enough():
            break
        twin = run(replace(trial.plan, substrate="sim", seed=trial.plan.seed + number * _APART))
        if twin.valid == trial.valid and reason_of(twin) == reason_of(trial):
            yield twin
        elif twin.valid == trial.valid:
            others.append(twin)
    yield from others
