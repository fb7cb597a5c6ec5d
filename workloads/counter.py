"""The workload `counter`: clients add to one number, by one command or by compare-and-swap, and read it."""

from __future__ import annotations

import random

from ostrakon.checkers.collections.counter import counter
from ostrakon.harness.generator import Generator, OpRequest, drawn, mix, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.kv.operation import Add, Cas, Get
from ostrakon.workloads.machine_bugs import COUNTER_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)

KEY = "counter"
AMOUNT_MAX = 5
READ = repeat(OpRequest("read"))


class CounterClient:
    """A client that adds and reads. Every fourth client adds by reading and a compare-and-swap."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._swaps = session.process % 4 == 3

    async def apply(self, op: Op) -> Op:
        """Execute an `add` or a `read`. An `add` by compare-and-swap fails if the number has changed."""
        match op.f:
            case "add" if self._swaps:
                return await self._swap(op)
            case "add":
                done = await self._session.execute(Add(KEY, op.value))
                return op.ok(slot=done.slot)
            case "read":
                done = await self._session.look(Get(KEY))
                return op.ok(done.result or 0, slot=done.slot)
        raise ValueError(f"a counter can be added to or read; there is no {op.f!r}")

    async def _swap(self, op: Op) -> Op:
        held = (await self._session.look(Get(KEY))).result
        done = await self._session.execute(Cas(KEY, held, (held or 0) + op.value))
        if not done.result:
            raise Refused("somebody else has added meanwhile")
        return op.ok(slot=done.slot)


def add_and_read(plan: Plan, rng: random.Random) -> Generator:
    """Additions of small numbers, and reads."""
    return shared_out(plan, rng, looks=READ, ops=mix(_adds(rng), READ, rng=rng))


def _adds(rng: random.Random) -> Generator:
    return drawn(lambda rng: OpRequest("add", rng.randint(1, AMOUNT_MAX)), rng=rng)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client adds and reads."""
    adds = _adds(rng)
    return until_done(plan, rng, lambda _: [adds, READ, adds, READ])


def checks(plan: Plan, history: History) -> Checks:
    """Each read is the sum of all additions before it and of some concurrent ones."""
    return {"counter": lambda: counter(history)}


COUNTER = store_workload(
    name="counter",
    about="A counter: no addition is lost or counted twice.",
    operations=Operations(CounterClient, add_and_read, all_at_last),
    checks=checks,
    bugs=COUNTER_BUGS,
    defaults={"rate": 100.0},
)
