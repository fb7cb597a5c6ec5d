"""The workload `at-most-once`: more sessions than the table holds, so that sessions are forgotten all the
time.

Elements are added to one list while other clients open session after session. A command whose session was
forgotten must not be executed: nobody can tell whether it was executed before.
"""

from __future__ import annotations

import random
from functools import partial

from ostrakon.checkers.collections.set_full import set_full
from ostrakon.harness.generator import Generator, OpRequest, Source, mix, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.paxos_impl.kv.operation import Get
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.workloads.machine_bugs import AT_MOST_ONCE_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)
from ostrakon.workloads.set import SetClient

KEY = "ledger"
SESSIONS_MAX = 5
"""Fewer than there are clients, in most trials."""
CHURN = 2
"""How many sessions one `churn` opens."""
READ, OPEN = repeat(OpRequest("read")), repeat(OpRequest("churn"))


class LedgerClient:
    """Adds and reads in a session of its own; a `churn` opens further ones."""

    def __init__(self, session: Session) -> None:
        self._session, self._elements = session, SetClient(session, KEY)

    async def apply(self, op: Op) -> Op:
        """Carry out an `add` of an element, a `read` of all, or a `churn`."""
        match op.f:
            case "add" | "read":
                return await self._elements.apply(op)
            case "churn":
                for _ in range(CHURN):
                    self._session.renew()
                    done = await self._session.execute(Get(KEY))
                return op.ok(slot=done.slot)
        raise ValueError(f"elements can be added and read, and sessions opened; there is no {op.f!r}")


def add_and_churn(plan: Plan, rng: random.Random) -> Generator:
    """Adds, none of the same element twice, among reads and new sessions."""
    adds = numbered(lambda number: OpRequest("add", number))
    return shared_out(plan, rng, looks=READ, ops=mix(adds, OPEN, rng=rng))


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Everyone adds and reads, one after the other, so that no session is forgotten any more."""

    def ops_of(thread: int) -> list[Source]:
        return [numbered(lambda number: OpRequest("add", f"last {thread}.{number}")), READ]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """What is known to be in the list is seen by every read that begins later, once."""
    return {"set": lambda: set_full(history, linearizable=True)}


AT_MOST_ONCE = store_workload(
    name="at-most-once",
    about="Commands of forgotten sessions: none is executed twice.",
    operations=Operations(LedgerClient, add_and_churn, all_at_last),
    checks=checks,
    bugs=AT_MOST_ONCE_BUGS,
    sessions=partial(Sessions, limit=SESSIONS_MAX),
    defaults={"rate": 150.0},
)
