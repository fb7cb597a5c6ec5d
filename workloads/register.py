"""The workload `register`: clients read, write and compare-and-swap a few keys of the replicated store.

A third of the clients read through the log, the others by asking a leader who makes sure that it still is
one.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from msgspec.structs import replace

from checkers.evidence import evidence
from checkers.linearizability import linearizable
from checkers.stats import stats
from checkers.termination import termination
from checkers.verdict import Verdict, guarded
from harness.generator import (
    Generator,
    Todo,
    drawn,
    each_thread,
    limit,
    phases,
    repeat,
    reserve,
    sequence,
    sleep,
    stagger,
    until_ok,
)
from harness.history import History, Op, Trace
from harness.plan import Latency, Plan
from harness.sim.buggify import sometimes
from harness.sim.framing import LengthPrefixed
from harness.workload import Refused, Site, Workload
from paxos_impl.kv.sessions import Sessions
from paxos_impl.kv.operation import Cas, Get, Put, plain
from paxos_impl.membership import Address, Membership
from paxos_impl.replica.client import NotDone, ReplicaClient, Unsure
from paxos_impl.replica.node import ReplicaConfig, serve
from paxos_impl.replica.timing import ReplicaTiming
from workloads.log_bugs import CORRECT, LOG_BUGS, Breakage
from workloads.log_properties import log_properties

PORT = 7100
KEYS = ("k0", "k1", "k2")
VALUES = 5
"""How many values there are: few, so that a compare-and-swap has a chance."""
CONVERGED_WITHIN_S = 3.0
"""How long after the last operation every replica must have executed what any has. Most of it is what a
connection may take to be made again."""
FINAL_TRIES_MAX = 30
"""How often a client tries to do each thing at the end before it gives up."""
TIMING = ReplicaTiming(beat_s=0.04, election_s=0.15, soon_s=0.06)
"""Short waits, so that there are many changes of leader in a trial."""
IMPATIENT = ReplicaTiming(beat_s=0.04, election_s=0.08, soon_s=0.02)
"""What a replica is given now and then: it rises against leaders that are merely slow."""
ATTEMPT_S = 0.1
PATIENCE_S = 0.9
"""How long a client waits for one replica, and for all of them before it says that it does not know."""


async def run_replica(site: Site) -> None:
    """One replica; the others are where their names say."""
    breakage: Breakage = site.breakage or CORRECT
    members = {number: Address(name, PORT) for number, name in enumerate(site.nodes, start=1)}
    config = ReplicaConfig(
        server_id=site.nodes.index(site.name) + 1,
        membership=Membership(members, cluster_id="register"),
        listen=Address("0.0.0.0", PORT),
        timing=IMPATIENT if sometimes("impatient replica") else TIMING,
    )
    await serve(
        config,
        disk=site.disk,
        rng=site.rng,
        sessions=breakage.sessions or Sessions,
        rules=breakage.rules,
        tracer=site.record,
    )


class RegisterClient:
    """One session with the cluster."""

    def __init__(self, client: ReplicaClient, *, reads_through_log: bool) -> None:
        self._client, self._reads_through_log = client, reads_through_log

    async def apply(self, op: Op) -> Op:
        """Carry out a `read`, `write` or `cas`; a `cas` that finds another value than it expects fails."""
        client, key = self._client, op.value[0]
        try:
            match op.f:
                case "read":
                    read = client.execute if self._reads_through_log else client.read
                    done = await read(plain(Get(key)), timeout_s=PATIENCE_S)
                    return replace(op, type="ok", value=[key, done.result], slot=done.slot)
                case "write":
                    done = await client.execute(plain(Put(key, op.value[1])), timeout_s=PATIENCE_S)
                    return replace(op, type="ok", slot=done.slot)
                case "cas":
                    old, new = op.value[1]
                    done = await client.execute(plain(Cas(key, old, new)), timeout_s=PATIENCE_S)
                    if not done.result:
                        raise Refused("it held another value")
                    return replace(op, type="ok", slot=done.slot)
        except NotDone as why:
            raise Refused(str(why)) from why
        except Unsure as why:
            return replace(op, type="info", error=str(why))
        raise ValueError(f"a register can be read, written or compared and swapped; there is no {op.f!r}")


@asynccontextmanager
async def connect(site: Site, process: int) -> AsyncIterator[RegisterClient]:
    """A client that begins with one of the replicas; successive processes begin with successive ones."""
    first = process % len(site.nodes)
    nodes = [*site.nodes[first:], *site.nodes[:first]]
    async with ReplicaClient(
        [Address(node, PORT) for node in nodes], f"p{process}", attempt_s=ATTEMPT_S
    ) as client:
        yield RegisterClient(client, reads_through_log=process % 3 == 2)


def read_write_cas(plan: Plan, rng: random.Random) -> Generator:
    """Reads, writes and compare-and-swaps of random keys, at the plan's rate.

    Some clients only read: one that writes soon notices when its leader is none any more, and goes away.
    """
    readers = plan.concurrency // 4
    reads = drawn(lambda rng: Todo("read", [rng.choice(KEYS), None]), rng=rng)
    pace = max(1, plan.concurrency) / plan.rate
    return reserve(
        (readers, stagger(pace / max(1, readers), reads, rng=rng)),
        rest=stagger(pace / (plan.concurrency - readers), drawn(_any_op, rng=rng), rng=rng),
    )


def _any_op(rng: random.Random) -> Todo:
    return _op(rng.choice(("read", "write", "write", "cas")), rng)


def _op(f: str, rng: random.Random) -> Todo:
    key = rng.choice(KEYS)
    match f:
        case "read":
            return Todo("read", [key, None])
        case "write":
            return Todo("write", [key, rng.randrange(VALUES)])
        case _:
            return Todo("cas", [key, [rng.randrange(VALUES), rng.randrange(VALUES)]])


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Everyone writes, swaps and reads every key until it is done: with no fault left, it must be in the end.

    Then there is a rest, in which replicas that are behind can catch up.
    """
    changes = [drawn(partial(_op, f), rng=rng) for f in ("write", "cas")]
    reads = [repeat(Todo("read", [key, None])) for key in KEYS]
    each_done = (until_ok(limit(FINAL_TRIES_MAX, stagger(0.05, ops, rng=rng))) for ops in (*changes, *reads))
    everyone = each_thread(sequence(*each_done))
    return phases(everyone, sleep(CONVERGED_WITHIN_S))


def check(plan: Plan, history: History, trace: Trace) -> Verdict:
    """Linearizability of each key, the properties of the log, termination, and that something happened."""
    clients = {
        "linearizability": guarded("linearizability", lambda: linearizable(history, "keyed-cas-register")),
        "termination": guarded("termination", lambda: termination(history, node_of=lambda _: "the cluster")),
    }
    rest = {
        "stats": guarded("stats", lambda: stats(history)),
        "evidence": guarded("evidence", lambda: evidence(history)),
    }
    return Verdict.compose(clients | log_properties(history, trace) | rest)


REGISTER = Workload(
    name="register",
    about="Whether replicas of a store ever disagree, lose a write, do one twice, or show old data.",
    program=run_replica,
    connect=connect,
    generator=read_write_cas,
    final=all_at_last,
    check=check,
    framing=LengthPrefixed(4),
    bugs=LOG_BUGS,
    defaults={
        "concurrency": 8,
        "rate": 150.0,
        "time_limit_s": 2.5,
        "latency": Latency("uniform", 1.0, 15.0),
    },
    timeout_s=1.0,
    points=("impatient replica",),
    judges_liveness=False,  # Every replica has to catch up in the end.
)
