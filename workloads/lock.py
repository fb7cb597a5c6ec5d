"""The workload `lock`: clients acquire locks with a lease, write under them, and release some of them."""

from __future__ import annotations

import random

from ostrakon.checkers.coordination.fencing import fencing
from ostrakon.checkers.coordination.leases import client_leases, client_leases_end
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, repeat, stagger
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.kv.operation import Acquire, Append, Guarded, Release
from ostrakon.workloads.machine_bugs import LOCK_BUGS
from ostrakon.workloads.replicated_store import Checks, Operations, Session, store_workload, until_done

LOCKS = ("l0", "l1")
LEASE_MS = 250
"""The length of a lease: short, so that many leases expire in a trial."""

FREE_WITHIN_MS = 4 * LEASE_MS
"""After this time a lease that was not renewed is over, even if the leader changed once meanwhile."""
DENIED = "somebody else has it"


class LockClient:
    """A client that keeps the tokens of its locks."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tokens: dict[str, int] = {}

    async def apply(self, op: Op) -> Op:
        """Execute an `acquire`, a `write` under a lock, or a `release`; each is ok with [lock, token]."""
        match op.f:
            case "acquire":
                holder = f"p{self._session.process}"
                done = await self._session.execute(Acquire(op.value, holder, LEASE_MS))
                if done.result is None:
                    raise Refused(DENIED)
                self._tokens[op.value] = done.result
                return op.ok([op.value, done.result], slot=done.slot)
            case "write":
                token = self._token(op.value)
                done = await self._session.execute(
                    Guarded(op.value, token, Append(f"under {op.value}", token))
                )
                if done.result is None:
                    raise Refused("the lock was granted again meanwhile")
                return op.ok([op.value, token], slot=done.slot)
            case "release":
                token = self._token(op.value)
                del self._tokens[op.value]
                done = await self._session.execute(Release(op.value, token))
                if not done.result:
                    raise Refused("the lock was granted again meanwhile")
                return op.ok([op.value, token], slot=done.slot)
        raise ValueError(f"a lock can be acquired, written under or released; there is no {op.f!r}")

    def _token(self, lock: str) -> int:
        if lock not in self._tokens:
            raise Refused("it does not have the lock")
        return self._tokens[lock]


def acquire_write_release(plan: Plan, rng: random.Random) -> Generator:
    """Clients acquire locks most of the time and release few of them, so that leases expire."""
    return stagger(1 / plan.rate, drawn(_any_op, rng=rng), rng=rng)


def _any_op(rng: random.Random) -> OpRequest:
    f = rng.choice(("acquire", "acquire", "acquire", "write", "write", "release"))
    return OpRequest(f, rng.choice(LOCKS))


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client acquires and uses a new lock of its own; the first one acquires the old locks, too.

    Whoever holds an old lock does not use it any more, so its lease runs out and the lock must become free.
    """

    def ops_of(thread: int) -> list[Source]:
        locks = (f"l of {thread}", *(LOCKS if thread == 0 else ()))
        return [repeat(OpRequest(f, lock)) for lock in locks for f in ("acquire", "write", "release")]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """No token is used after a higher one; and two clients never hold a lock at the same time.

    A lease depends on clocks. If the clocks of leader and holder run at different rates, only the first
    property (fencing) is checked.
    """
    parts = {"fencing": lambda: fencing(history)}
    if not any(fault.kind == "clock_skew" for fault in plan.faults):
        parts["leases"] = lambda: client_leases(history, duration_ns=LEASE_MS * 1_000_000)
        within_ns = FREE_WITHIN_MS * 1_000_000
        parts["freed"] = lambda: client_leases_end(history, within_ns=within_ns, denial=DENIED)
    return parts


LOCK = store_workload(
    name="lock",
    about="Locks with leases: two clients never hold the same lock, and an expired token is refused.",
    operations=Operations(LockClient, acquire_write_release, all_at_last),
    checks=checks,
    bugs=LOCK_BUGS,
    lease=None,
)
