"""Quiescence: after the clients are done and the faults have ended, nodes that are behind catch up."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from ostrakon.harness.history import Event
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Quiescence

_LOOK_EVERY_S = 0.05
"""How often the condition is checked, in seconds; nodes are not asked for that."""


async def wait_quiescent(
    quiescence: Quiescence, plan: Plan, told: Sequence[Event] | None, *, held_up_s: float = 0.0
) -> None:
    """Return when no node is behind any more, or when the time is up.

    `told` has the events that nodes have reported, and grows; None where they are not known before the end.
    Messages and syncs that faults have made late may take another `held_up_s`; the time counts from then.
    """
    with trio.move_on_after(held_up_s + quiescence.most_s):
        while told is None or not quiescence.is_over(plan, told):
            await trio.sleep(_LOOK_EVERY_S)
