"""The workload `append`: transactions that append to lists and read them, over several keys at once."""

from __future__ import annotations

import random
from typing import Any

from ostrakon.checkers.transactions import list_append
from ostrakon.harness.generator import Generator, OpRequest, Source, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.kv.operation import Append, Get, Simple, Transaction
from ostrakon.workloads.machine_bugs import APPEND_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)

KEYS = 3
"""The number of keys in use at a time: few, so that transactions conflict."""
TRANSACTIONS_PER_KEY = 25
"""A key is replaced by a new one after about this many transactions, so that lists stay short."""
MICRO_OPS_MAX = 4

AppendMicroOp = list[Any]
"""`["append", key, value]` or `["r", key, list]`, the list null until it is known."""


class AppendClient:
    """A client that executes transactions; some of its transactions require that no key has changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_cautious = session.process % 4 == 1

    async def apply(self, op: Op) -> Op:
        """Execute a `txn`, or a `read`, which is a transaction that only reads.

        A `txn` of a cautious client fails if a key has changed since the client read it.
        """
        ops = tuple(_operation(micro_op) for micro_op in op.value)
        match op.f:
            case "read":
                done = await self._session.look(Transaction((), ops))
            case "txn":
                given = await self._lists(op.value) if self._is_cautious else ()
                done = await self._session.execute(Transaction(given, ops))
            case _:
                raise ValueError(f"transactions are of the f 'txn' or 'read'; there is no {op.f!r}")
        if done.result is None:
            raise Refused("a list has changed meanwhile")
        value = [_told(micro_op, result) for micro_op, result in zip(op.value, done.result, strict=True)]
        return op.ok(value, slot=done.slot)

    async def _lists(self, micro_ops: list[AppendMicroOp]) -> tuple[tuple[str, Any], ...]:
        """The keys of a transaction and their lists."""
        keys = tuple(dict.fromkeys(key for _, key, _ in micro_ops))
        done = await self._session.look(Transaction((), tuple(map(Get, keys))))
        return tuple(zip(keys, done.result, strict=True))


def _operation(micro_op: AppendMicroOp) -> Simple:
    f, key, value = micro_op
    return Append(key, value) if f == "append" else Get(key)


def _told(micro_op: AppendMicroOp, result: Any) -> AppendMicroOp:
    f, key, _ = micro_op
    return [f, key, result] if f == "r" else micro_op


def transactions(plan: Plan, rng: random.Random) -> Generator:
    """Transactions of one to four micro-ops on a few keys; no value is appended twice."""
    seed = rng.getrandbits(64)
    anything = numbered(lambda number: _transaction(number, random.Random(seed + number)))
    looks = numbered(lambda number: _look(3 * number, random.Random(~(seed + number))))
    return shared_out(plan, rng, looks=looks, ops=anything)


def _transaction(number: int, rng: random.Random) -> OpRequest:
    micro_ops: list[AppendMicroOp] = []
    for place in range(rng.randint(1, MICRO_OPS_MAX)):
        key = _key(number, rng)
        value = number * MICRO_OPS_MAX + place
        micro_ops.append(["append", key, value] if rng.random() < 0.5 else ["r", key, None])
    is_look = all(f == "r" for f, _, _ in micro_ops)
    return OpRequest("read" if is_look else "txn", micro_ops)


def _look(number: int, rng: random.Random) -> OpRequest:
    return _read([_key(number, rng) for _ in range(rng.randint(1, MICRO_OPS_MAX))])


def _read(keys: list[str]) -> OpRequest:
    return OpRequest("read", [["r", key, None] for key in keys])


def _key(number: int, rng: random.Random) -> str:
    return f"k{number // TRANSACTIONS_PER_KEY + rng.randrange(KEYS)}"


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client appends once more and reads; one read covers all of the first keys."""
    first = [f"k{number}" for number in range(KEYS)]

    def ops_of(thread: int) -> list[Source]:
        appends = numbered(
            lambda number: OpRequest("txn", [["append", key, f"{thread}.{number}"] for key in first])
        )
        return [appends, *(repeat(_read(keys)) for keys in ([first[0]], first))]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """The transactions are strictly serializable."""
    return {"transactions": lambda: list_append(history)}


APPEND = store_workload(
    name="append",
    about="Transactions over several lists: strictly serializable, without aborted reads.",
    operations=Operations(AppendClient, transactions, all_at_last),
    checks=checks,
    bugs=APPEND_BUGS,
)
