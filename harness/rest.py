"""The rest at the end of a trial: clients are done, faults have ended, and who is behind catches up."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from harness.history import Event
from harness.plan import Plan
from harness.workload import Rest

_LOOK_EVERY_S = 0.05
"""How often it is seen whether anybody is still behind. Nothing is asked of the nodes for that."""


async def take_rest(rest: Rest, plan: Plan, told: Sequence[Event] | None) -> None:
    """Return when nobody is behind any more, or when time is up.

    `told` is what nodes have reported, and grows meanwhile; None where that is not known before the end.
    """
    with trio.move_on_after(rest.most_s):
        while told is None or not rest.is_over(plan, told):
            await trio.sleep(_LOOK_EVERY_S)
