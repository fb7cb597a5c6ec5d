"""Maelstrom's `g-counter` and `pn-counter`: in the end every node has the same sum of all that was added."""

from __future__ import annotations

import random
from collections.abc import Callable

from ostrakon.checkers.collections.counter import counter
from ostrakon.harness.generator import OpRequest, Source, drawn, mix, repeat
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.workloads.maelstrom.client import asking, told
from ostrakon.workloads.maelstrom.cluster import RECOVERY_S, maelstrom_workload, until_done
from ostrakon.workloads.maelstrom.message import Body

_LOOK = repeat(OpRequest("look"))
"""What is read meanwhile may be anything; only what is read at last is judged."""


def _ops_from(low: int) -> Callable[[Plan, random.Random], Source]:
    def ops(plan: Plan, rng: random.Random) -> Source:
        return mix(drawn(lambda rng: OpRequest("add", rng.randint(low, 5)), rng=rng), _LOOK, rng=rng)

    return ops


def _ask(op: Op) -> Body:
    return {"type": "add", "delta": op.value} if op.f == "add" else {"type": "read"}


def _answer(op: Op, body: Body) -> object:
    return (told(body, "add_ok") or op.value) if op.f == "add" else told(body, "read_ok", "value")


G_COUNTER = maelstrom_workload(
    name="g-counter",
    about="Whether a counter that only grows comes everywhere to the sum of what was added.",
    connect=asking(_ask, _answer),
    ops=_ops_from(0),
    final=until_done(lambda thread: [repeat(OpRequest("read"))]),
    recovery_s=RECOVERY_S,
    checks=lambda plan, history: {"counter": lambda: counter(history)},
)

PN_COUNTER = maelstrom_workload(
    name="pn-counter",
    about="Whether a counter comes everywhere to the sum of what was added and taken away.",
    connect=asking(_ask, _answer),
    ops=_ops_from(-5),
    final=until_done(lambda thread: [repeat(OpRequest("read"))]),
    recovery_s=RECOVERY_S,
    checks=lambda plan, history: {"counter": lambda: counter(history)},
)
