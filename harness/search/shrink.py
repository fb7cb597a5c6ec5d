"""Shrinking: the simplest plan that still fails, found by leaving things out (delta debugging).

Pure search: whether a candidate fails is asked of the caller. Whatever simpler plan fails is taken, and when
no pass finds one any more, nothing that we know how to leave out can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ostrakon.harness.plan import Plan, encode_plan
from ostrakon.harness.search.complexity import complexity
from ostrakon.harness.search.passes import PASSES, Pass

Fails = Callable[[Plan], bool]
"""Whether a plan fails, and for the reason that is looked for."""


def shrink(
    plan: Plan,
    fails: Fails,
    *,
    passes: Sequence[Pass] = PASSES,
    enough: Callable[[], bool] = lambda: False,
    note: Callable[[Plan], object] = lambda plan: None,
    guesses: Iterable[Plan] = (),
) -> Plan:
    """The simplest plan found that fails, starting from one that does.

    `fails` is never asked twice about the same plan. When `enough` says so, the simplest plan until then
    is returned. `note` is told of each plan on the way. `guesses` are simpler plans to begin with, if one of
    them fails.
    """
    search = _Search(fails, passes, enough, note)
    guessed = search.first_failure(lambda _: iter(guesses), plan)
    return search.shrink(plan if guessed is None else guessed[1])


@dataclass(slots=True)
class _Search:
    fails: Fails
    passes: Sequence[Pass]
    enough: Callable[[], bool]
    note: Callable[[Plan], object]
    refuted: set[bytes] = field(default_factory=set)
    """Plans that do not fail."""

    def shrink(self, plan: Plan) -> Plan:
        while True:
            before = plan
            for propose in self.passes:
                plan = self.sweep(propose, plan)
            if plan == before or self.enough():
                return plan

    def sweep(self, propose: Pass, plan: Plan) -> Plan:
        """Take whatever fails of what a pass proposes, going on from there with what it then proposes.

        What was proposed before that place, and did not fail, is not tried anew until the next sweep.
        """
        place = 0
        while (found := self.first_failure(propose, plan, place)) is not None:
            place, plan = found
        return plan

    def first_failure(self, propose: Pass, plan: Plan, start: int = 0) -> tuple[int, Plan] | None:
        """The first proposal that fails, from a place on, and its own place."""
        ceiling = complexity(plan)
        for place, candidate in enumerate(islice(propose(plan), start, None), start):
            if self.enough():
                return None
            if complexity(candidate) < ceiling and self.still_fails(candidate):
                self.note(candidate)
                return place, candidate
        return None

    def still_fails(self, plan: Plan) -> bool:
        key = encode_plan(plan)
        if key in self.refuted:
            return False
        if self.fails(plan):
            return True
        self.refuted.add(key)
        return False
