"""The workload `long-fork`: each key is written once; reads of several keys must agree on the order."""

from __future__ import annotations

import random

from ostrakon.checkers.consistency.long_fork import long_fork
from ostrakon.harness.generator import Generator, OpRequest, Source, numbered, repeat, stagger
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.paxos_impl.kv.operation import Get, Put, Transaction
from ostrakon.workloads.machine_bugs import LONG_FORK_BUGS
from ostrakon.workloads.replicated_store import Checks, Operations, Session, store_workload, until_done

GROUP = 3
"""The number of keys that are read together."""
OPS_PER_GROUP = 12
"""The number of ops for one group of keys: the writes of its keys, and reads between them."""


class LongForkClient:
    """A client that writes one key or reads a group of keys."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(self, op: Op) -> Op:
        """Execute a `write`, one micro-op `["w", key, value]`, or a `read`, several `["r", key, null]`."""
        match op.f:
            case "write":
                [[_, key, value]] = op.value
                done = await self._session.execute(Put(key, value))
                return op.ok(slot=done.slot)
            case "read":
                keys = [key for _, key, _ in op.value]
                done = await self._session.look(Transaction((), tuple(map(Get, keys))))
                read = [["r", key, value] for key, value in zip(keys, done.result, strict=True)]
                return op.ok(read, slot=done.slot)
        raise ValueError(f"keys can be written, and groups of them read; there is no {op.f!r}")


def write_and_read(plan: Plan, rng: random.Random) -> Generator:
    """One group of keys after another: each key is written once, between reads of the whole group."""
    seed = rng.getrandbits(64)
    groups = numbered(lambda number: _group(number, random.Random(seed + number)))
    return stagger(1 / plan.rate, groups, rng=rng)


def _group(number: int, rng: random.Random) -> Source:
    keys = [f"g{number}.{place}" for place in range(GROUP)]
    writes = [OpRequest("write", [["w", key, number]]) for key in keys]
    ops = writes + [_read(keys)] * (OPS_PER_GROUP - GROUP)
    return rng.sample(ops, len(ops))


def _read(keys: list[str]) -> OpRequest:
    return OpRequest("read", [["r", key, None] for key in keys])


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client writes a key, reads it with other clients' keys, and reads the first group."""
    first = [f"g0.{place}" for place in range(GROUP)]

    def ops_of(thread: int) -> list[Source]:
        ours = [f"last {(thread + place) % plan.concurrency}" for place in range(GROUP)]
        return [
            repeat(request)
            for request in (OpRequest("write", [["w", ours[0], "last"]]), _read(ours), _read(first))
        ]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """Of any two reads of a group, one has all the values that the other has."""
    return {"long-fork": lambda: long_fork(history)}


LONG_FORK = store_workload(
    name="long-fork",
    about="Reads of several keys: two reads never have two writes in opposite orders.",
    operations=Operations(LongForkClient, write_and_read, all_at_last),
    checks=checks,
    bugs=LONG_FORK_BUGS,
)
