"""The parts that all workloads over the replicated store share: replicas, client sessions, and the end of
trials.

Each workload adds only its operations and its checkers.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec.structs import replace

from ostrakon.checkers.replication import progress
from ostrakon.checkers.run.evidence import evidence
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.run.termination import termination
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.faults import TARGETS
from ostrakon.harness.generator import (
    Generator,
    Source,
    lift,
    reserve,
    stagger,
)
from ostrakon.harness.history import Event, History, Op, Trace
from ostrakon.harness.liveness_phase import liveness_phase_of
from ostrakon.harness.plan import BadPlan, Latency, Plan
from ostrakon.harness.sim.disk.disk import SimDisk
from ostrakon.harness.sim.machine.buggify import sometimes
from ostrakon.harness.substrates.framing import LengthPrefixed
from ostrakon.harness.workload import Client, Leeway, Quiescence, SeededBug, Site, Unavailable, Workload
from ostrakon.paxos_impl.client.decree import NoAnswer
from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure, status
from ostrakon.paxos_impl.core import TraceEvent
from ostrakon.paxos_impl.core.multi import Compaction, Configuration, LeaseConfig, Member, ReadHow
from ostrakon.paxos_impl.kv.machine import StateMachine
from ostrakon.paxos_impl.kv.operation import Operation, plain
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_server import ReplicaServer
from ostrakon.paxos_impl.server.server import Server, serve_node
from ostrakon.paxos_impl.server.timing import ReplicaTiming
from ostrakon.paxos_impl.storage.disk import Disk, OsDisk
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.write_ahead_log import WrongStorage
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.replica import Done, Status
from ostrakon.workloads import moments
from ostrakon.workloads.cells import store_cells
from ostrakon.workloads.cut_logs import unless_cut
from ostrakon.workloads.final_phase import each_until_done
from ostrakon.workloads.log_bugs import CORRECT, Breakage
from ostrakon.workloads.log_leases import LEASE_OPTION, excused, lease_of
from ostrakon.workloads.store_groups import (
    GROUPS_OPTION,
    GroupsMonitor,
    all_converged,
    groups_of,
    properties_by_group,
)
from ostrakon.workloads.vocabulary import OF_REPLICAS, WIDTH

if TYPE_CHECKING:
    from ostrakon.harness.recording import Recording
    from ostrakon.harness.resolution import ResolvedPlan
    from ostrakon.harness.store import RunFolder

PORT = 7100
DISK_REFUSED = "disk_refused"
"""The event of a node that has found its disk damaged and does not start."""
OS_FILES = "the code for real files"
"""The rare branch in which a replica uses simulated system files instead of the storage port. It tests the
code that
syncs, renames and lists real files. Both ways access the same files, so each incarnation may use either."""
CONVERGED_WITHIN_S = 1.5
"""The time after the last operation in which all replicas must have executed the same slots. Most of it is
for new
connections."""
FINAL_TRIES_MAX = 30
"""The number of times that a client tries each operation of the final phase."""
TIMING = ReplicaTiming(beat_s=0.04, election_s=0.15, soon_s=0.06, soon_max_s=0.25)
"""Short time-outs, so that the leader changes often in a trial."""
IMPATIENT = ReplicaTiming(beat_s=0.04, election_s=0.08, soon_s=0.02, soon_max_s=0.25)
"""The timings of an impatient replica, which starts elections against slow leaders."""
COMPACTION = Compaction(every=24, keep=6, chunk_bytes=256, segment_bytes=2048)
"""Small enough that most trials compact the log several times and some transfer a snapshot in chunks."""
SNAPSHOTS_OPTION = {
    "slots_per_snapshot": f"slots between two snapshots of a replica; {COMPACTION.every} if not given. The "
    "sizes of the kept log, of segments and of chunks are in proportion"
}
SLOTS_DRAWN, GROUPS_DRAWN, LEASES_DRAWN = (None, None, 1, 4), (None,) * 7 + (3,), (None, None, None, 0)
"""Values that search draws these options from; None leaves an option as it is. Without leases, leaders
change sooner and reads ask a quorum."""
LEASE = LeaseConfig(length_s=0.24, drift=0.3)
"""A large margin for bad clocks: a leader uses half of the lease that followers grant."""
SERVED_WITHIN_S = 2.0
"""The time in which clients must make progress under a partition: several elections, a lease and time-
outs."""
READS: tuple[Literal["lease", "index", "log"], ...] = ("lease", "index", "log")
"""The kinds of reads of successive processes: by the leader's lease, by a quorum, or through the log."""
ATTEMPT_S = 0.1
PATIENCE_S = 0.9
"""The time that a client waits for one replica, and for all together before the outcome is unknown."""
TIMEOUT_S = 1.0
DEFAULTS: Mapping[str, Any] = {
    "concurrency": 8,
    "rate": 150.0,
    "time_limit_s": 2.5,
    "latency": Latency("uniform", 1.0, 15.0),
}

LEEWAY = Leeway(ops=(12, 80), time_limit_s_min=0.6, latency_ms_max=15.0)
"""Progress needs an election, and a client that waits 100 ms for a replica needs its answer within that
time."""


async def run_replica(
    site: Site,
    *,
    lease: LeaseConfig | None,
    founders: int | None,
    sessions: Callable[[StateMachine], Sessions],
    compaction: Compaction,
) -> None:
    """The program of one replica; it reaches the others by the names of their hosts."""
    breakage: Breakage = site.breakage or CORRECT
    timing = IMPATIENT if sometimes("impatient replica") else TIMING
    is_simulated = type(site.disk) is SimDisk  # Only in simulation is "/" the root of simulated files.
    disk: Disk = OsDisk(Path("/")) if is_simulated and sometimes(OS_FILES) else site.disk
    config = config_of(site.name, site.nodes, site.options, lease=lease, founders=founders, timing=timing)
    config = replace(config, compaction=compaction)
    several = partial(breakage.node.recover, journal=breakage.journal)
    one = partial(ReplicaServer.recover, storage=breakage.storage, changes=breakage.changes)
    recover = one if config.groups == 1 else several
    try:
        node = await _recovered(site, config, recover, disk, sessions, breakage)
    except (DamagedLog, WrongStorage):
        if site.record is not None:
            site.record(TraceEvent(site.name, 0, 0, DISK_REFUSED))
        raise
    await serve_node(node, config.address)


async def _recovered(
    site: Site,
    config: ReplicaConfig,
    recover: Callable[..., Awaitable[Server]],
    disk: Disk,
    sessions: Callable[[StateMachine], Sessions],
    breakage: Breakage,
) -> Server:
    """Load the server from its disk. Raises: DamagedLog; WrongStorage; StorageFailed."""
    return await recover(
        config,
        disk if breakage.disk is None else breakage.disk(site.disk),
        rng=site.rng,
        machine=breakage.machine or Store,
        sessions=breakage.sessions or sessions,
        rules=breakage.rules,
        tracer=site.record,
    )


def config_of(
    name: str,
    nodes: Sequence[str],
    options: Mapping[str, Any],
    *,
    lease: LeaseConfig | None,
    founders: int | None,
    timing: ReplicaTiming,
) -> ReplicaConfig:
    """The configuration of the replica on this node, of a cluster of all nodes. Raises: BadPlan."""
    founding = {number: address_of(node) for number, node in enumerate(nodes[:founders], start=1)}
    me = nodes.index(name) + 1
    return ReplicaConfig(
        server_id=me,
        membership=Membership(founding if me in founding else {me: address_of(name)}, cluster_id="trial"),
        joins=me not in founding,
        listen=Address("0.0.0.0", PORT),
        timing=timing,
        compaction=compaction_of(options),
        lease=lease_of(options, lease),
        groups=groups_of(options),
    )


def compaction_of(options: Mapping[str, Any]) -> Compaction:
    """When snapshots are taken, as a plan's options say. Raises: BadPlan."""
    every = options.get("slots_per_snapshot", COMPACTION.every)
    if type(every) is not int or every < 1:
        raise BadPlan(f"options.slots_per_snapshot is {every!r}, expected a whole number above 0")
    share = every / COMPACTION.every
    return Compaction(
        every=every,
        keep=int(COMPACTION.keep * share),
        chunk_bytes=max(32, int(COMPACTION.chunk_bytes * share)),
        segment_bytes=max(64, int(COMPACTION.segment_bytes * share)),
    )


def address_of(node: str) -> Address:
    """The address of a replica."""
    return Address(node, PORT)


class StoreClient(Protocol):
    """The interface of `ReplicaClient` that sessions use."""

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """Execute an operation through the log. Raises: NotDone, Unsure."""

    async def read(self, op: Any, *, how: ReadHow, timeout_s: float) -> Done:
        """The result of an operation that only reads. Raises: NotDone."""

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        """Change the members. Raises: NotDone, Unsure."""

    def renew(self) -> None:
        """Open another session for the next operation."""


AskStatusOf = Callable[[str], Awaitable[object]]
"""Asks a node for its status. Raises: NoAnswer."""


async def _ask_status(node: str) -> object:
    return await status(address_of(node), timeout_s=ATTEMPT_S)


class Session:
    """The session of one client process with the store."""

    def __init__(
        self,
        client: StoreClient,
        nodes: Sequence[str],
        process: int,
        ask_status: AskStatusOf = _ask_status,
    ) -> None:
        self.nodes, self.process = nodes, process
        self._client, self._how = client, READS[process % len(READS)]
        self._ask_status = ask_status

    async def execute(self, operation: Operation) -> Done:
        """Execute an operation.

        Raises: NotDone, Unsure.
        """
        return await self._client.execute(plain(operation), timeout_s=PATIENCE_S)

    def renew(self) -> None:
        """Open another session with the replicas for the next operation."""
        self._client.renew()

    async def look(self, operation: Operation) -> Done:
        """The result of an operation that only reads.

        The kind of read depends on the process: see `READS`.

        Raises: NotDone, Unsure.
        """
        if self._how == "log":
            return await self.execute(operation)
        return await self._client.read(plain(operation), how=self._how, timeout_s=PATIENCE_S)

    async def configuration(self) -> Configuration:
        """The newest configuration that any reachable replica reports.

        Raises: NotDone.
        """
        told = []
        for node in self.nodes:
            with suppress(NoAnswer):
                told.append(await self._ask_status(node))
        known = [it.configuration for it in told if isinstance(it, Status) and it.configuration is not None]
        if not known:
            raise NotDone("nobody tells who the members are")
        return max(known, key=lambda configuration: configuration.version)

    async def change(self, members: Sequence[Member]) -> Done:
        """Change the members to these.

        Raises: NotDone, Unsure.
        """
        return await self._client.change(members, timeout_s=PATIENCE_S)


class _Told:
    """A client that converts errors: `NotDone` makes an op `fail`, `Unsure` makes it `info`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def apply(self, op: Op) -> Op:
        try:
            return await self._client.apply(op)
        except NotDone as why:
            raise Unavailable(str(why)) from why
        except Unsure as why:
            return replace(op, type="info", error=str(why))


def shared_out(
    plan: Plan, rng: random.Random, *, looks: Source, ops: Source, besides: Source = None
) -> Generator:
    """`ops` at the plan's rate; with four clients or more, a quarter of them only perform `looks`.

    A client that writes soon notices that its leader was replaced, and changes to the new leader. A client
    that only reads may stay with the old one. If `besides` is given, the first of several clients performs
    only that.
    """
    special = 1 if besides is not None and plan.concurrency > 1 else 0
    readers = (plan.concurrency - special) // 4
    pace = plan.concurrency / plan.rate
    rest = stagger(pace / (plan.concurrency - readers - special), lift(ops), rng=rng)
    shares: list[tuple[int, Source]] = []
    if special:
        shares.append((1, besides))
    if readers:
        shares.append((readers, stagger(pace / readers, lift(looks), rng=rng)))
    return reserve(*shares, rest=rest)


def until_done(plan: Plan, rng: random.Random, ops_of: Callable[[int], Sequence[Source]]) -> Generator:
    """Each thread repeats each of its ops until it is ok; without faults, it must succeed."""
    return each_until_done(plan, rng, ops_of, tries_max=FINAL_TRIES_MAX, pause_s=0.05)


Checks = Mapping[str, Callable[[], Verdict]]
"""Checkers by name, as functions without arguments."""


def _served(history: History, trace: Trace) -> Checks:
    """The check of M12, if the members stayed the same and there was a suitable partition."""
    views = dict.fromkeys(event.members for event in trace if event.event == "config_active")
    if len(views) != 1:
        return {}
    verdict = progress(history, *views, within_s=SERVED_WITHIN_S)
    return {} if verdict.valid == "unknown" else {"M12": lambda: verdict}


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of a workload over the store."""

    client: Callable[[Session], Client]
    """Makes a client from its session. The exceptions of sessions are converted outside of it."""
    generator: Callable[[Plan, random.Random], Generator]
    """Makes the operations for the time with faults."""
    final: Callable[[Plan, random.Random], Generator]
    """Makes the operations of the final phase."""


def store_workload(
    *,
    name: str,
    about: str,
    operations: Operations,
    checks: Callable[[Plan, History], Checks],
    bugs: Mapping[str, SeededBug],
    defaults: Mapping[str, Any] | None = None,
    lease: LeaseConfig | None = LEASE,
    founders: int | None = None,
    spreads: bool = False,
    sessions: Callable[[StateMachine], Sessions] = Sessions,
    compaction: Compaction = COMPACTION,
) -> Workload:
    """Make a workload over the store; `checks` judges the history of clients.

    Each trial is also judged by the properties of the log, by termination and by evidence. `lease` is None
    for a workload that must work with clocks of any rate. `founders` is the number of nodes of the first
    cluster if others can join; None for all nodes. If it `spreads`, plans may use several groups; then each
    op has one key, the first item of its value.
    """

    @asynccontextmanager
    async def connect(site: Site, process: int) -> AsyncIterator[Client]:
        # Successive processes connect to successive replicas first.
        first = process % len(site.nodes)
        addresses = [address_of(node) for node in (*site.nodes[first:], *site.nodes[:first])]
        async with ReplicaClient(addresses, f"p{process}", attempt_s=ATTEMPT_S) as replicas:
            yield _Told(operations.client(Session(replicas, site.nodes, process)))

    def clients(plan: Plan, rng: random.Random) -> Generator:
        lease_of(plan.options, lease), groups_of(plan.options)  # Mistakes are reported before the trial runs.
        compaction_of(plan.options)
        return operations.generator(plan, rng)

    def well_at_last(plan: Plan, told: Sequence[Event]) -> Sequence[str] | None:
        phase = liveness_phase_of(plan)
        among = phase.core if phase is not None else None if founders is None else _members_at_last(told)
        if refused := _refused(told):
            has_quorum = 2 * len(refused) < len(plan.names)
            return [node for node in among or plan.names if node not in refused] if has_quorum else []
        return among

    def is_converged(plan: Plan, told: Sequence[Event]) -> bool:
        return all_converged(told, groups_of(plan.options), among=well_at_last(plan, told))

    def check(plan: Plan, history: History, trace: Trace) -> Verdict:
        rest: dict[str, Callable[[], Verdict]] = {
            "termination": lambda: termination(history, node_of=lambda _: "the cluster"),
            "stats": lambda: stats(history),
            "evidence": lambda: evidence(history),
        }
        phase = liveness_phase_of(plan)
        working = set(plan.names if phase is None else phase.core) - _refused(trace)
        if 2 * len(working) <= len(plan.names):
            del rest["termination"]  # No quorum is left, so no operation can succeed.
        rest = {**rest, **_served(history, trace)}
        parts = {name: guarded(name, judge) for name, judge in {**checks(plan, history), **rest}.items()}
        verdicts = parts | properties_by_group(
            history, trace, groups_of(plan.options), among=well_at_last(plan, trace)
        )
        verdicts = excused(verdicts, plan, lease, resting=("M7", "M13", *checks(plan, history)))
        return Verdict.compose(unless_cut(verdicts, history))

    def run_on_model(resolved: ResolvedPlan, folder: RunFolder | None) -> Recording:
        from ostrakon.workloads.bare_store import run_bare_store

        plan = resolved.plan

        def client_of(replicas: StoreClient, process: int, ask_status: AskStatusOf) -> Client:
            return _Told(operations.client(Session(replicas, plan.names, process, ask_status)))

        def config(node: str, timing: ReplicaTiming) -> ReplicaConfig:
            return config_of(node, plan.names, plan.options, lease=lease, founders=founders, timing=timing)

        return run_bare_store(
            resolved, config, client_of, (TIMING, IMPATIENT), ATTEMPT_S, folder, sessions=sessions
        )

    return Workload(
        name=name,
        about=about,
        program=partial(
            run_replica, lease=lease, founders=founders, sessions=sessions, compaction=compaction
        ),
        connect=connect,
        generator=clients,
        final=operations.final,
        quiescence=Quiescence(CONVERGED_WITHIN_S, is_converged),
        check=check,
        framing=LengthPrefixed(WIDTH),
        targets=TARGETS,
        moments=moments.OF_REPLICAS,
        cells=store_cells(name),
        vocabulary=OF_REPLICAS,
        points=("impatient replica", OS_FILES),
        bugs=bugs,
        model=run_on_model,
        options={
            **SNAPSHOTS_OPTION,
            **(LEASE_OPTION if lease is not None else {}),
            **(GROUPS_OPTION if spreads else {}),
        },
        drawn_options={
            "slots_per_snapshot": SLOTS_DRAWN,
            **({"lease_ms": LEASES_DRAWN} if lease is not None else {}),
            **({"groups": GROUPS_DRAWN} if spreads else {}),
        },
        defaults={**DEFAULTS, **(defaults or {})},
        leeway=LEEWAY,
        timeout_s=TIMEOUT_S,
        judges_liveness=founders is None,
        detects=(DamagedLog, WrongStorage),
        watch=lambda plan: GroupsMonitor(groups_of(plan.options)),
    )


def _refused(trace: Sequence[Event]) -> set[str]:
    """The nodes that found their disks damaged and did not start again."""
    last = {event.node: event.event for event in trace}
    return {node for node, event in last.items() if event == DISK_REFUSED}


def _members_at_last(trace: Sequence[Event]) -> Sequence[str]:
    """The voters of the newest configuration that any replica uses."""
    active = [event for event in trace if event.event == "config_active"]
    newest = max(active, key=lambda event: event.slot or 0, default=None)
    return () if newest is None else newest.members
