"""The workload `decree`: clients propose distinct values to all instances of Basic Paxos and read from all.

Its trials are short, with many concurrent operations. Once all instances have learned the chosen value, Basic
Paxos sends no more messages, and a later fault has no effect.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ostrakon.checkers.consensus import ConsensusMonitor, consensus
from ostrakon.checkers.run.termination import termination
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.faults import TARGETS
from ostrakon.harness.generator import (
    Generator,
    OpRequest,
    any_of,
    each_thread,
    limit,
    mix,
    numbered,
    on,
    repeat,
    sequence,
    stagger,
    until_ok,
)
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.plan import BadPlan, Latency, Plan
from ostrakon.harness.sim.machine.buggify import sometimes
from ostrakon.harness.substrates.framing import LengthPrefixed
from ostrakon.harness.workload import Leeway, Refused, Site, Workload
from ostrakon.paxos_impl.client import decree as paxos
from ostrakon.paxos_impl.core import RULES, Chosen, Outcome, Unknown
from ostrakon.paxos_impl.core import Refused as RefusedByPaxos
from ostrakon.paxos_impl.server.decree_node import NodeConfig, serve
from ostrakon.paxos_impl.server.timing import Timing
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.workloads import moments
from ostrakon.workloads.bugs import DECREE_BUGS
from ostrakon.workloads.vocabulary import OF_INSTANCES, WIDTH

if TYPE_CHECKING:
    from ostrakon.harness.model import Found, Size
    from ostrakon.harness.recording import Recording
    from ostrakon.harness.resolution import ResolvedPlan
    from ostrakon.harness.store import RunFolder

PORT = 7000
FINAL_TRIES_MAX = 30
"""The number of times that a client proposes, and reads, in the final phase."""
IMPATIENT = Timing(retransmit_s=0.03, back_off_s=0.001, pull_s=0.05)
"""The timings of an impatient instance, which abandons ballots while their messages are in flight."""
CONTESTED_S = 0.1
"""Seconds until all instances have usually learned the value and send no more messages."""


async def run_instance(site: Site) -> None:
    """The program of one instance; it reaches the others by the names of their hosts."""
    members = {number: Address(name, PORT) for number, name in enumerate(site.nodes, start=1)}
    config = NodeConfig(
        server_id=site.nodes.index(site.name) + 1,
        membership=Membership(members, cluster_id="decree"),
        listen=Address("0.0.0.0", PORT),
        timing=IMPATIENT if sometimes("impatient instance") else Timing(),
    )
    await serve(config, disk=site.disk, rng=site.rng, rules=site.breakage or RULES, tracer=site.record)


class DecreeClient:
    """A client that proposes to, and reads from, one instance."""

    def __init__(self, client: paxos.Client, node: str) -> None:
        self._client, self._node = client, node

    async def apply(self, op: Op) -> Op:
        """Execute a `propose` or a `get`; both are ok with the chosen value."""
        try:
            match op.f:
                case "propose":
                    return completed(op, await self._client.propose(op.value), self._node)
                case "get":
                    return completed(op, await self._client.get(), self._node)
        except paxos.NoAnswer as silence:
            return replace(op, type="info", error=str(silence))
        raise ValueError(f"a decree can be proposed to or got; there is no {op.f!r}")


def completed(op: Op, answer: Outcome, node: str) -> Op:
    """The completed op for a node's answer. Raises: Refused."""
    match answer:
        case Chosen(value, ballot):
            return op.ok(value, slot=0, ballot=(ballot.round, ballot.server_id), node=node)
        case Unknown():
            raise Refused("not known yet")
        case RefusedByPaxos(why):
            raise Refused(why)
    raise AssertionError(answer)


def asked_by(process: int, nodes: Sequence[str]) -> str:
    """The instance of a process: successive processes use successive instances."""
    return nodes[process % len(nodes)]


@asynccontextmanager
async def connect(site: Site, process: int) -> AsyncIterator[DecreeClient]:
    """A client of one of the instances."""
    node = asked_by(process, site.nodes)
    async with paxos.Client(Address(node, PORT)) as client:
        yield DecreeClient(client, node)


def propose_and_get(plan: Plan, rng: random.Random) -> Generator:
    """All clients propose at once, so that instances duel; then proposals and reads at the plan's rate.

    A plan can give exact proposals instead: its option `asks` is a list of [time in ms, number of the node,
    value].
    """
    if "schedule" in plan.options:
        raise BadPlan(f"options.schedule is for the substrate 'model', not for {plan.substrate!r}")
    if "asks" in plan.options:
        return asks_of(plan)
    proposals = numbered(lambda number: OpRequest("propose", f"v{number}"))
    duel = limit(plan.concurrency, proposals)
    later = numbered(lambda number: OpRequest("propose", f"w{number}"))
    return sequence(duel, stagger(1 / plan.rate, mix(later, repeat(OpRequest("get")), rng=rng), rng=rng))


class AskAt(NamedTuple):
    """One entry of a plan's option `asks`."""

    at_ms: float
    node: int
    """The number of the node, from 1."""
    value: Any


def asks_of(plan: Plan) -> Generator:
    """The proposals of a plan's option `asks`. Raises: BadPlan."""
    asks = _asks(plan)
    # Each proposal has its own thread; all processes of that thread use the same node.
    threads = [iter(range(node, plan.concurrency, plan.nodes)) for node in range(plan.nodes)]
    asked = [(next(threads[ask.node - 1], None), ask) for ask in asks]
    if any(thread is None for thread, _ in asked):
        raise BadPlan(f"options.asks needs more threads than {plan.concurrency}: raise concurrency")
    return any_of(
        *(
            on(partial(eq, thread), OpRequest("propose", ask.value, time_ns=int(ask.at_ms * 1e6)))
            for thread, ask in asked
        )
    )


def _asks(plan: Plan) -> tuple[AskAt, ...]:
    try:
        asks = msgspec.convert(plan.options["asks"], tuple[AskAt, ...])
    except msgspec.ValidationError as error:
        raise BadPlan(
            f"options.asks is not a list of [time in ms, number of a node, value]: {error}"
        ) from None
    for ask in asks:
        if not 1 <= ask.node <= plan.nodes:
            raise BadPlan(f"options.asks names node {ask.node}; there are 1 to {plan.nodes}")
    return asks


def read_at_last(plan: Plan, rng: random.Random) -> Generator:
    """All clients propose and read until they get the chosen value; without faults they must get it."""
    proposals = stagger(0.05, repeat(OpRequest("propose", "last")), rng=rng)
    reads = stagger(0.05, repeat(OpRequest("get")), rng=rng)
    return each_thread([until_ok(limit(FINAL_TRIES_MAX, proposals)), until_ok(limit(FINAL_TRIES_MAX, reads))])


def check(plan: Plan, history: History, trace: Trace) -> Verdict:
    """Agreement, validity and integrity for clients, P1 to P11 for instances, and termination."""

    def node_of(process: int) -> str:
        return asked_by(process, plan.names)

    parts = {"consensus": consensus(history, trace), "termination": termination(history, node_of=node_of)}
    return Verdict.compose(parts)


def run_on_model(resolved: ResolvedPlan, folder: RunFolder | None) -> Recording:
    """Run a plan on bare instances; a plan with a schedule runs step by step. Raises: BadPlan."""
    plan, rules = resolved.plan, resolved.breakage or RULES
    if "schedule" in plan.options:
        from ostrakon.workloads.small_world.enactment import run_schedule

        return run_schedule(plan, rules, folder)
    from ostrakon.harness.model.run import asking, run_bare
    from ostrakon.workloads.bare_instance import BareInstance

    return run_bare(
        resolved,
        lambda bare, name: BareInstance(bare, name, rules, completed),
        asking(lambda process: asked_by(process, plan.names)),
        folder=folder,
    )


def explore(
    size: Size,
    *,
    bug: str | None,
    only: tuple[str, ...],
    states_max: int,
    note: Callable[[int, int, int], object] | None,
) -> Found:
    """Explore all executions of a small cluster. Raises: CannotExplore."""
    from ostrakon.workloads.small_world.command import explore_decree

    return explore_decree(DECREE, size, bug=bug, only=only, states_max=states_max, note=note)


DECREE = Workload(
    name="decree",
    about="Basic Paxos: all instances decide the same value, and a client proposed it.",
    program=run_instance,
    connect=connect,
    generator=propose_and_get,
    final=read_at_last,
    check=check,
    framing=LengthPrefixed(WIDTH),
    targets=TARGETS,
    moments=moments.OF_INSTANCES,
    vocabulary=OF_INSTANCES,
    bugs=DECREE_BUGS,
    model=run_on_model,
    explore=explore,
    watch=lambda plan: ConsensusMonitor(),
    busy_s=CONTESTED_S,
    points=("impatient instance",),
    options={
        "asks": "who is asked for what and when: a list of [time in ms, number of the node, value]",
        "schedule": "each step of a small world, as `ostrakon explore` writes it; on the model only",
    },
    defaults={"rate": 20.0, "time_limit_s": 1.0, "latency": Latency("uniform", 1.0, 20.0)},
    leeway=Leeway(),
)
