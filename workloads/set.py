"""The workload `set`: clients add elements to a growing set and read the whole set."""

from __future__ import annotations

import random

from ostrakon.checkers.collections.set_full import set_full
from ostrakon.harness.generator import Generator, OpRequest, Source, mix, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.paxos_impl.kv.operation import Append, Get
from ostrakon.workloads.machine_bugs import SET_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)

KEY = "set"
READ = repeat(OpRequest("read"))


class SetClient:
    """A client that adds elements to the list at `key` and reads the whole list."""

    def __init__(self, session: Session, key: str = KEY) -> None:
        self._session, self._key = session, key

    async def apply(self, op: Op) -> Op:
        """Execute an `add` of an element or a `read` of all elements."""
        match op.f:
            case "add":
                done = await self._session.execute(Append(self._key, op.value))
                return op.ok(slot=done.slot)
            case "read":
                done = await self._session.look(Get(self._key))
                return op.ok(done.result or [], slot=done.slot)
        raise ValueError(f"a set can be added to or read; there is no {op.f!r}")


def add_and_read(plan: Plan, rng: random.Random) -> Generator:
    """Additions of distinct elements, and reads."""
    adds = numbered(lambda number: OpRequest("add", number))
    return shared_out(plan, rng, looks=READ, ops=mix(adds, READ, rng=rng))


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client adds and reads, so that lost elements are noticed."""

    def ops_of(thread: int) -> list[Source]:
        adds = numbered(lambda number: OpRequest("add", f"last {thread}.{number}"))
        return [adds, READ, numbered(lambda number: OpRequest("add", f"very last {thread}.{number}")), READ]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """Every read that begins after an addition was acknowledged has that element exactly once."""
    return {"set": lambda: set_full(history, linearizable=True)}


SET = store_workload(
    name="set",
    about="A set: no added element is lost, missing in a later read, or present twice.",
    operations=Operations(SetClient, add_and_read, all_at_last),
    checks=checks,
    bugs=SET_BUGS,
    defaults={"rate": 100.0},
)
