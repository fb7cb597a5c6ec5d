"""Finds the parts that a failing plan needs: each part is left out once, and the rest is run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from ostrakon.harness.plan import Plan
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Workload

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a plan, and the verdict of the trial without it."""

    kind: Literal["fault", "deviation", "operation"]
    number: int
    """Its place among the parts of its kind, from 0."""
    without: str
    """The verdict of the plan without it: `valid`, `unknown` or `invalid`."""
    reason: str
    """The reason of that verdict; empty when it is valid."""

    @property
    def mattered(self) -> bool:
        """Whether the trial no longer fails without it."""
        return self.without != "invalid"


def parts(plan: Plan, workload: Workload | None = None, *, at_most: int = 60) -> Iterator[Part]:
    """Leave out each fault, each deviation and each planned operation in turn, `at_most` parts in all.

    The seed stays the same, but the schedule after the missing part may differ. So a part that mattered is
    needed for this failure in this schedule; the bug may also show without it.

    Raises: BadPlan.
    """
    for kind, number, smaller in list(_without_one(plan))[:at_most]:
        trial = run(smaller, workload=workload)
        yield Part(kind, number, trial.valid, trial.reason)


def _without_one(plan: Plan) -> Iterator[tuple[Literal["fault", "deviation", "operation"], int, Plan]]:
    for number in range(len(plan.faults)):
        # Without `nemesis`, the verdict is not unknown just because a requested kind of fault is missing.
        yield "fault", number, replace(plan, faults=_but(plan.faults, number), nemesis=())
    for number in range(len(plan.deviations)):
        yield "deviation", number, replace(plan, deviations=_but(plan.deviations, number))
    if plan.ops is not UNSET:
        for number in range(len(plan.ops)):
            yield "operation", number, replace(plan, ops=_but(plan.ops, number))


def _but(items: tuple[_Item, ...], number: int) -> tuple[_Item, ...]:
    return items[:number] + items[number + 1 :]
