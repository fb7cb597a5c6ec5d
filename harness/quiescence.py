"""The rest at the end of a trial: clients are done, faults have ended, and who is behind catches up."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from ostrakon.harness.history import Event
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Quiescence

_LOOK_EVERY_S = 0.05
"""How often it is seen whether anybody is still behind. Nothing is asked of the nodes for that."""


async def wait_quiescent(
    quiescence: Quiescence, plan: Plan, told: Sequence[Event] | None, *, held_up_s: float = 0.0
) -> None:
    """Return when nobody is behind any more, or when time is up.

    `told` is what nodes have reported, and grows meanwhile; None where that is not known before the end.
    Messages, and what slow disks have begun, may take `held_up_s` yet after faults; then time begins.
    """
    with trio.move_on_after(held_up_s + quiescence.most_s):
        while told is None or not quiescence.is_over(plan, told):
            await trio.sleep(_LOOK_EVERY_S)
