"""Quiescence: after the clients are done and the faults have ended, nodes that are behind catch up."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from ostrakon.harness.history import Event
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Quiescence

_LOOK_EVERY_S = 0.05
"""Seconds between two checks of the condition. A check sends nothing to nodes."""


async def wait_quiescent(
    quiescence: Quiescence, plan: Plan, told: Sequence[Event] | None, *, held_up_s: float = 0.0
) -> None:
    """Wait until all nodes have caught up, or until the longest time has passed.

    `told` is the growing list of events that nodes have reported; None if events are known only at the end.
    `held_up_s` is the longest delay that faults gave to messages and syncs; the time begins after it.
    """
    with trio.move_on_after(held_up_s + quiescence.most_s):
        while told is None or not quiescence.is_over(plan, told):
            await trio.sleep(_LOOK_EVERY_S)
