"""The workload `register`: clients read, write and compare-and-swap a few keys of the replicated store."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from ostrakon.checkers.linearizability import linearizable
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.kv.operation import Cas, Get, Put
from ostrakon.workloads.groups_bugs import GROUPS_BUGS
from ostrakon.workloads.lease_bugs import LEASE_BUGS
from ostrakon.workloads.log_bugs import LOG_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)
from ostrakon.workloads.snapshot_bugs import SNAPSHOT_BUGS
from ostrakon.workloads.store_groups import groups_of, keys_over

KEYS = ("k0", "k1", "k2")
VALUES = 5
"""The number of values: few, so that a compare-and-swap can succeed."""


class RegisterClient:
    """A client that reads, writes, and compares and swaps."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(self, op: Op) -> Op:
        """Execute a `read`, `write` or `cas`. A `cas` fails if the value is not the expected one."""
        key = op.value[0]
        match op.f:
            case "read":
                done = await self._session.look(Get(key))
                return op.ok([key, done.result], slot=done.slot)
            case "write":
                done = await self._session.execute(Put(key, op.value[1]))
                return op.ok(slot=done.slot)
            case "cas":
                old, new = op.value[1]
                done = await self._session.execute(Cas(key, old, new))
                if not done.result:
                    raise Refused("it held another value")
                return op.ok(slot=done.slot)
        raise ValueError(f"a register can be read, written or compared and swapped; there is no {op.f!r}")


def read_write_cas(plan: Plan, rng: random.Random, *, besides: Source = None) -> Generator:
    """Reads, writes and compare-and-swaps of random keys; for `besides`, see `shared_out`."""
    keys = keys_of(plan)
    reads = drawn(partial(_op, keys, "read"), rng=rng)
    return shared_out(plan, rng, looks=reads, ops=drawn(partial(_any_op, keys), rng=rng), besides=besides)


def keys_of(plan: Plan) -> tuple[str, ...]:
    """All keys. If there are several groups, each group has some of the keys."""
    groups = groups_of(plan.options)
    return KEYS if groups == 1 else keys_over(groups, len(KEYS))


def _any_op(keys: Sequence[str], rng: random.Random) -> OpRequest:
    return _op(keys, rng.choice(("read", "write", "write", "cas")), rng)


def _op(keys: Sequence[str], f: str, rng: random.Random) -> OpRequest:
    key = rng.choice(keys)
    match f:
        case "read":
            return OpRequest("read", [key, None])
        case "write":
            return OpRequest("write", [key, rng.randrange(VALUES)])
        case _:
            return OpRequest("cas", [key, [rng.randrange(VALUES), rng.randrange(VALUES)]])


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client writes a key, swaps it and reads all keys, until each op is ok."""
    return until_done(plan, rng, lambda thread: one_of_each(thread, rng, keys_of(plan)))


def one_of_each(thread: int, rng: random.Random, keys: Sequence[str] = KEYS) -> list[Source]:
    """A write, a compare-and-swap, and reads of each key.

    The swap expects the written value first, and then each other value that the key may have.
    """
    key, written = keys[thread % len(keys)], rng.randrange(VALUES)

    def swap(attempt: int) -> OpRequest:
        return OpRequest("cas", [key, [(written + attempt) % VALUES, (written + 1) % VALUES]])

    reads = (repeat(OpRequest("read", [key, None])) for key in keys)
    return [repeat(OpRequest("write", [key, written])), numbered(swap), *reads]


def checks(plan: Plan, history: History) -> Checks:
    """Each key is linearizable."""
    return {"linearizability": lambda: linearizable(history, "keyed-cas-register")}


REGISTER = store_workload(
    name="register",
    about="Registers in a replicated store: each key is linearizable, and replicas agree.",
    operations=Operations(RegisterClient, read_write_cas, all_at_last),
    checks=checks,
    bugs=LOG_BUGS | LEASE_BUGS | SNAPSHOT_BUGS | GROUPS_BUGS,
    spreads=True,
)
