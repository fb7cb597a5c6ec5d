"""The workload `ephemeral`: keys under leases, which vanish when nobody keeps the lease alive any more.

Each client has a key of its own, puts it under a new lease now and then, and keeps the lease alive for a
while. Reads show all keys. In the end every client waits until its key is gone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, repeat
from ostrakon.harness.history import History, Op, Process
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.kv.operation import Get, GrantLease, KeepLease, PutLeased, Range, RevokeLease
from ostrakon.paxos_impl.wire.replica import Done
from ostrakon.workloads.machine_bugs import EPHEMERAL_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)

LENGTH_MS = 250
"""The length of a lease: short, so that many end in a trial, yet enough for several reads and renewals."""
GONE_WITHIN_MS = 4 * LENGTH_MS
"""At the end of a trial, a key is gone after this time, even if the leader changed once meanwhile."""
PREFIX, END = "e", "f"
READ = repeat(OpRequest("read"))
STILL_THERE = "the key is still there"


class EphemeralClient:
    """A client with a key, which it puts under one lease after another."""

    def __init__(self, session: Session) -> None:
        self._session, self._key = session, f"{PREFIX}{session.process}"
        self._leases = 0
        self._lease = ""

    async def apply(self, op: Op) -> Op:
        """Execute an op: `hold`, `keep` and `revoke` are ok with [key, lease], `read` with the leases by key.

        `gone` is ok if the key has no value.
        """
        match op.f:
            case "hold":
                return await self._hold(op)
            case "keep" | "revoke" if not self._lease:
                return await self._hold(op)
            case "keep":
                done = await self._session.execute(KeepLease(self._lease))
            case "revoke":
                lease, self._lease = self._lease, ""
                done = await self._session.execute(RevokeLease(lease))
                # Whether or not it had ended before, it is over now.
                return replace(op, type="ok", value=[self._key, lease], slot=done.slot)
            case "read":
                done = await self._session.look(Range(PREFIX, END, limit=1000))
                return replace(op, type="ok", value=dict(done.result["items"]), slot=done.slot)
            case "gone":
                done = await self._session.look(Get(self._key))
                if done.result is not None:
                    raise Refused(STILL_THERE)
                return replace(op, type="ok", value=[self._key, None])
            case _:
                raise ValueError(f"a key can be held, kept, revoked or read; there is no {op.f!r}")
        lease = self._lease
        if not done.result:
            self._lease = ""
        return _told(op, done, [self._key, lease])

    async def _hold(self, op: Op) -> Op:
        """Put the key under a new lease; the value of the key is the name of the lease.

        A client without a lease does this instead of keeping one alive or revoking it.
        """
        self._leases, self._lease = self._leases + 1, ""
        lease = f"{self._key}.{self._leases}"
        if not (await self._session.execute(GrantLease(lease, LENGTH_MS))).result:
            raise Refused("there is such a lease already")
        done = await self._session.execute(PutLeased(self._key, lease, lease))
        told = _told(op, done, [self._key, lease])
        self._lease = lease
        return told


def _told(op: Op, done: Done, value: list[str]) -> Op:
    """The completion of an op on a lease. Raises: Refused, if the lease has ended."""
    if not done.result:
        raise Refused("the lease has ended")
    return replace(op, type="ok", value=value, slot=done.slot)


def hold_keep_and_read(plan: Plan, rng: random.Random) -> Generator:
    """Leases that are kept alive most of the time, so that some last and others end."""
    return shared_out(plan, rng, looks=READ, ops=drawn(_any_op, rng=rng))


def _any_op(rng: random.Random) -> OpRequest:
    return OpRequest(rng.choice(("hold", "keep", "keep", "keep", "keep", "revoke", "read", "read")))


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Every client waits until its key is gone, under its last lease or under a new one."""

    def ops_of(thread: int) -> list[Source]:
        fs = ("revoke", "hold", "gone") if thread % 2 else ("keep", "gone", "read")
        return [repeat(OpRequest(f)) for f in fs]

    return until_done(plan, rng, ops_of)


class _Lease(NamedTuple):
    """A lease that a client held, and when its key was certainly there."""

    key: str
    name: str
    held: Op
    """The `ok` of the `hold`: from then on the key is there."""
    renewed_ns: int
    """When the client began the last operation that certainly renewed the lease."""
    given_up_ns: int | None
    """When the client began to revoke it, or to put its key under another lease; None if it did not."""

    @property
    def until_ns(self) -> int:
        """Up to this time the key is there."""
        until_ns = self.renewed_ns + LENGTH_MS * 1_000_000
        return until_ns if self.given_up_ns is None else min(until_ns, self.given_up_ns)


def ephemeral(history: History) -> Verdict:
    """Whether every read shows the keys whose leases were alive during all of the read.

    A lease is certainly alive for its length from the begin of each operation that granted it or kept it
    alive, and was acknowledged.
    """
    leases = list(_leases(history))
    reads = [
        (asked, done) for asked, done in history.pairs if asked.f == "read" and done and done.type == "ok"
    ]
    alive = [
        (lease, asked, done)
        for lease in leases
        for asked, done in reads
        if lease.held.time < asked.time and done.time <= lease.until_ns
    ]
    if not alive:
        return Verdict.unknown("no read fell into the life of a lease")
    return Verdict.of(
        (
            Anomaly(
                "key vanished",
                f"a read at {done.time / 1e6:.1f} ms shows {done.value.get(lease.key)!r} at {lease.key}, "
                f"although its lease {lease.name} was kept alive until {lease.until_ns / 1e6:.1f} ms",
                (lease.held, asked, done),
            )
            for lease, asked, done in alive
            if done.value.get(lease.key) != lease.name
        ),
        reads_of_living_leases=len(alive),
    )


def _leases(history: History) -> Iterator[_Lease]:
    held: dict[Process, tuple[Op, int]] = {}

    def over(process: Process, given_up_ns: int | None) -> Iterator[_Lease]:
        if process in held:
            op, renewed_ns = held.pop(process)
            key, name = op.value
            yield _Lease(key, name, op, renewed_ns, given_up_ns)

    for asked, done in history.pairs:
        process = asked.process
        if asked.f not in ("hold", "keep", "revoke"):
            continue
        told = done.value if done is not None and done.type == "ok" else None
        is_same = told is not None and process in held and told[1] == held[process][0].value[1]
        if asked.f == "keep" and told is None:
            continue
        if asked.f == "keep" and is_same:
            held[process] = held[process][0], asked.time
            continue
        yield from over(process, asked.time)
        if done is not None and told is not None and not is_same:
            # The lease was granted after the op was begun, and the key put later.
            held[process] = done, asked.time
    for process in list(held):
        yield from over(process, None)


def vanished(history: History) -> Verdict:
    """Whether each key is gone at the end, some time after its lease was over and all faults were healed.

    The last refusals of `gone`, after which it was never ok, must not span more than `GONE_WITHIN_MS`.
    """
    refused: dict[Process, list[Op]] = {}
    asked_for = 0
    for asked, done in history.pairs:
        if asked.f == "gone" and done is not None:
            asked_for += 1
            if done.type == "fail" and done.error == STILL_THERE:
                refused.setdefault(asked.process, []).append(done)
            elif done.type == "ok":
                refused.pop(asked.process, None)
    if not asked_for:
        return Verdict.unknown("no client waited for its key to vanish")
    return Verdict.of(
        Anomaly(
            "key outlived its lease",
            f"the key of process {process} was there for {(ops[-1].time - ops[0].time) / 1e6:g} ms after "
            "its lease was kept alive for the last time",
            (ops[0], ops[-1]),
        )
        for process, ops in refused.items()
        if ops[-1].time - ops[0].time > GONE_WITHIN_MS * 1_000_000
    )


def checks(plan: Plan, history: History) -> Checks:
    """Keys vanish when their lease is over. They do not vanish before, unless clocks have different rates."""
    parts: dict[str, Callable[[], Verdict]] = {"vanished": lambda: vanished(history)}
    if not any(fault.kind == "clock_skew" for fault in plan.faults):
        verdict = ephemeral(history)
        if verdict.valid != "unknown":  # A short trial may have no read in the life of a lease.
            parts["ephemeral"] = lambda: verdict
    return parts


EPHEMERAL = store_workload(
    name="ephemeral",
    about="Keys under leases: they stay while the lease is kept alive, and vanish when it is over.",
    operations=Operations(EphemeralClient, hold_keep_and_read, all_at_last),
    checks=checks,
    bugs=EPHEMERAL_BUGS,
    lease=None,
)
