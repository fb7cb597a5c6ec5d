"""Maelstrom's `txn-list-append` and `txn-rw-register`: transactions over a few keys."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.generator import OpRequest, Source, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Workload
from ostrakon.workloads.maelstrom.client import Body, asking, told
from ostrakon.workloads.maelstrom.cluster import maelstrom_workload

KEYS = 4
"""How many keys are in use at a time."""
TRANSACTIONS_PER_KEY = 30
MICRO_OPS_MAX = 4


def _transactions(write: str) -> Callable[[Plan, random.Random], Source]:
    def ops(plan: Plan, rng: random.Random) -> Source:
        seed = rng.getrandbits(64)
        return numbered(lambda number: _transaction(write, number, random.Random(seed + number)))

    return ops


def _transaction(write: str, number: int, rng: random.Random) -> OpRequest:
    def micro_op(place: int) -> list[Any]:
        key = number // TRANSACTIONS_PER_KEY + rng.randrange(KEYS)
        # No value is written twice.
        return [write, key, number * MICRO_OPS_MAX + place] if rng.random() < 0.5 else ["r", key, None]

    return OpRequest("txn", [micro_op(place) for place in range(rng.randint(1, MICRO_OPS_MAX))])


def _ask(op: Op) -> Body:
    return {"type": "txn", "txn": op.value}


def _workload(name: str, write: str, about: str, check: Callable[[History], Verdict]) -> Workload:
    return maelstrom_workload(
        name=name,
        about=about,
        connect=asking(_ask, lambda op, body: told(body, "txn_ok", "txn")),
        ops=_transactions(write),
        final=lambda thread: [repeat(OpRequest("txn", [["r", key, None] for key in range(KEYS)]))],
        checks=lambda history: {"transactions": lambda: check(history)},
    )


TXN_LIST_APPEND = _workload(
    "txn-list-append",
    "append",
    "Whether transactions that append to lists are strictly serializable; the report names what holds.",
    list_append,
)
TXN_RW_REGISTER = _workload(
    "txn-rw-register",
    "w",
    "Whether transactions that write registers are strictly serializable; the report names what holds.",
    rw_register,
)
