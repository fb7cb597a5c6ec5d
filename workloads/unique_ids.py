"""The workload `unique-ids`: clients get identifiers, each the next number."""

from __future__ import annotations

import random

from ostrakon.checkers.collections.unique_ids import unique_ids
from ostrakon.harness.generator import Generator, OpRequest, repeat, stagger
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.paxos_impl.kv.operation import Add
from ostrakon.workloads.machine_bugs import UNIQUE_ID_BUGS
from ostrakon.workloads.replicated_store import Checks, Operations, Session, store_workload, until_done

KEY = "ids"
GENERATE = repeat(OpRequest("generate"))


class UniqueIdClient:
    """Increments a counter; each value is an identifier."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(self, op: Op) -> Op:
        """Carry out a `generate`; it is ok with the identifier."""
        if op.f != "generate":
            raise ValueError(f"identifiers can be generated; there is no {op.f!r}")
        done = await self._session.execute(Add(KEY, 1))
        return op.ok(done.result, slot=done.slot)


def generate(plan: Plan, rng: random.Random) -> Generator:
    """One identifier after another."""
    return stagger(1 / plan.rate, GENERATE, rng=rng)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client gets some more identifiers."""
    return until_done(plan, rng, lambda _: [GENERATE] * 4)


def checks(plan: Plan, history: History) -> Checks:
    """No identifier is given out twice."""
    return {"unique-ids": lambda: unique_ids(history)}


UNIQUE_IDS = store_workload(
    name="unique-ids",
    about="Unique numbers: no number is given twice.",
    operations=Operations(UniqueIdClient, generate, all_at_last),
    checks=checks,
    bugs=UNIQUE_ID_BUGS,
)
