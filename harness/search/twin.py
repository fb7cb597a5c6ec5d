"""Twins: the plan of a trial on the model, in simulation, where the same failure is looked for.

Latencies and timeouts are drawn in another order in simulation, so the same plan takes another course there.
A failure that its own seed does not show there is mostly shown by one of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.outcome import Trial, reason_of

TWINS = 40
"""How many seeds a failure is looked for with."""
_APART = 1000
"""Between two of these seeds."""


def failing_twins(
    trial: Trial, run: Callable[[Plan], Trial], *, enough: Callable[[], bool] = lambda: False
) -> Iterator[Trial]:
    """Trials in simulation that fail as one on the model did, first those for the same reason.

    All that fail for other reasons come when none is left to try, or `enough` says so.
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
