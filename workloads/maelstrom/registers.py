"""Maelstrom's `lin-kv`: reads, writes and compare-and-swaps of keys, each linearizable."""

from __future__ import annotations

import random

from ostrakon.checkers.linearizability import linearizable
from ostrakon.harness.generator import OpRequest, Source, drawn, repeat
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.workloads.maelstrom.client import asking, told
from ostrakon.workloads.maelstrom.cluster import maelstrom_workload, until_done
from ostrakon.workloads.maelstrom.message import KEY_DOES_NOT_EXIST, Body

KEYS, VALUES = 5, 5


def _op(rng: random.Random) -> OpRequest:
    key = rng.randrange(KEYS)
    match rng.choice(("read", "write", "cas")):
        case "read":
            return OpRequest("read", [key, None])
        case "write":
            return OpRequest("write", [key, rng.randrange(VALUES)])
        case _:
            return OpRequest("cas", [key, [rng.randrange(VALUES), rng.randrange(VALUES)]])


def _ops(plan: Plan, rng: random.Random) -> Source:
    return drawn(_op, rng=rng)


def _ask(op: Op) -> Body:
    key, value = op.value
    match op.f:
        case "read":
            return {"type": "read", "key": key}
        case "write":
            return {"type": "write", "key": key, "value": value}
        case _:
            return {"type": "cas", "key": key, "from": value[0], "to": value[1]}


def _answer(op: Op, body: Body) -> object:
    if op.f == "read":
        return [op.value[0], told(body, "read_ok", "value")]
    told(body, f"{op.f}_ok")
    return op.value


LIN_KV = maelstrom_workload(
    name="lin-kv",
    about="Whether a key-value store shows old values, loses writes, or swaps what it should not have.",
    connect=asking(_ask, _answer, absent={KEY_DOES_NOT_EXIST: lambda op: [op.value[0], None]}),
    ops=_ops,
    final=until_done(
        lambda thread: (
            [repeat(OpRequest("write", [key, thread])) for key in range(KEYS)]
            + [repeat(OpRequest("read", [key, None])) for key in range(KEYS)]
        )
    ),
    timeout_s=2.0,
    checks=lambda plan, history: {"linearizability": lambda: linearizable(history, "keyed-cas-register")},
)
