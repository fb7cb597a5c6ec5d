"""Runs a plan live: nodes as processes, clients and nemesis in this process, and the recording of them."""

from __future__ import annotations

import heapq
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import trio

from ostrakon.harness.catalogue import UnknownName, find_workload
from ostrakon.harness.effects import inert_faults, told_effects
from ostrakon.harness.faults import TRAFFIC, AppliedFault, Nemesis, can_act, kinds_on
from ostrakon.harness.history import History, Op, Trace, read_trace
from ostrakon.harness.history.message import Message, write_messages
from ostrakon.harness.interpreter import Interpretation, client_crashes, interpret
from ostrakon.harness.live.disk import LiveDisk
from ostrakon.harness.live.job import ADAPTER_FAILED, NodeJob
from ostrakon.harness.live.machine import Exit, LiveMachine
from ostrakon.harness.live.proxy import Proxy
from ostrakon.harness.live.sockets import install
from ostrakon.harness.messages import MESSAGES_MAX, message_in_words
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.quiescence import wait_quiescent
from ostrakon.harness.recording import Finding, Recording
from ostrakon.harness.resolution import ResolvedPlan
from ostrakon.harness.script import FINAL_PHASE_S, script
from ostrakon.harness.store import RunFolder
from ostrakon.harness.substrate import Substrate
from ostrakon.harness.substrates import CONTROL
from ostrakon.harness.substrates.errors import root_cause
from ostrakon.harness.substrates.seeds import stream_seed, substream
from ostrakon.harness.volume.mounted import VOLUME_FAULTS, NoFuse, mount, require_fuse
from ostrakon.harness.workload import Site

_SIM_ONLY = ("deviations", "liveness_s", "buggify")
"""Fields of a plan that only a simulation supports."""
_FINAL_PHASE_S = 3 * FINAL_PHASE_S
"""The maximum time of the final phase; real time also passes while the machine does other work."""
_READY_S = 60.0
"""Seconds that nodes have to listen after their start; then the trial continues without waiting."""
_LOOK_S = 0.05
"""Seconds between two checks that every process still exists."""


class _LiveSubstrate:
    """The substrate `live`."""

    def require(self, plan: ResolvedPlan) -> None:
        """Refuse a plan that real processes cannot run. Raises: BadPlan."""
        for number, fault in enumerate(plan.plan.faults):
            if fault.message or (fault.target and fault.target not in TRAFFIC):
                raise BadPlan(
                    f"faults[{number}] is aimed by events or messages of nodes, which only a simulation "
                    f"knows in time; live, aim at {', '.join(TRAFFIC)}, or name the nodes"
                )
            if fault.kind in VOLUME_FAULTS:
                try:
                    require_fuse()
                except NoFuse as missing:
                    raise BadPlan(f"faults[{number}] is a {fault.kind}: {missing}") from None
            elif not can_act(fault, "live"):
                raise BadPlan(
                    f"faults[{number}] is a {fault.kind}, which works in simulation only; "
                    f"live there are {', '.join(kinds_on('live'))}"
                )
        for name in _SIM_ONLY:
            if getattr(plan.plan, name):
                raise BadPlan(f"the plan has {name}, which only a simulation supports: leave it out")
        if {plan.workload.node_loop, plan.workload.client_loop} != {"trio"}:
            raise BadPlan(
                "nodes and clients for asyncio run in simulation only: live nodes need Trio's sockets"
            )
        try:
            known = find_workload(plan.plan.reference)
        except UnknownName:
            known = None
        if known is not plan.workload:
            raise BadPlan(
                f"each live node is a process that must be able to import the workload: give "
                f"{plan.plan.workload!r} a name at the top level of a module, or an entry point in the group "
                "ostrakon.workloads"
            )

    def run(self, plan: ResolvedPlan, folder: RunFolder | None, *, watch: bool) -> Recording:
        """Run a plan on processes of this machine. A live trial never stops early.

        No process outlives this call, whatever happens. Raises: any error of the harness itself.
        """
        if folder is not None:
            return _Live(plan, folder.path, folder).run()
        with tempfile.TemporaryDirectory() as place:
            return _Live(plan, Path(place), None).run()


SUBSTRATE: Substrate = _LiveSubstrate()


class _Live:
    """One plan on one machine."""

    def __init__(self, resolved: ResolvedPlan, place: Path, folder: RunFolder | None) -> None:
        plan, workload = resolved.plan, resolved.workload
        self._resolved, self._place = resolved, place
        self._plan, self._workload = plan, workload
        self._journals = folder.journals() if folder is not None else None
        self._begin_ns = time.monotonic_ns()
        self._ops: list[Op] = []
        self._machines: dict[str, LiveMachine] = {}
        self._nemesis: Nemesis | None = None
        self._deeds: tuple[AppliedFault, ...] = ()
        self._interpretation: Interpretation | None = None
        self._proxy = Proxy(
            plan.names,
            latency=resolved.latency,
            framing=workload.framing,
            datagrams=workload.datagrams,
            rng=lambda *path: substream(plan.seed, *path),
            observe=self._observe if folder is not None else None,
        )
        self._messages: deque[Message] = deque(maxlen=MESSAGES_MAX)
        self._begin_s = 0.0
        """When the trial began, by the clock of Trio."""

    def run(self) -> Recording:
        """Run to the end and return the recording."""
        with ExitStack() as stack:
            for journal in self._journals or ():
                stack.enter_context(journal)
            with self._none_left():
                try:
                    trio.run(self._run)
                except BaseExceptionGroup as group:
                    raise root_cause(group) from group
            trace = self._trace()
        if self._messages:
            write_messages(self._place / "messages.jsonl", self._messages)
        return Recording(
            History(self._ops),
            trace,
            told_effects(self._deeds),
            (
                *client_crashes(self._interpretation, self._workload.connect, self._workload.place),
                *self._node_crashes(),
                *self._no_progress(),
                *inert_faults(self._plan, self._deeds),
            ),
            {"messages": self._proxy.messages},
            tuple(_told(left, self._is_excused(left)) for left in self._exits()),
            self._now_ns() / 1e9,
        )

    async def _run(self) -> None:
        self._begin_s = trio.current_time() - self._now_ns() / 1e9
        async with trio.open_nursery() as nursery:
            port = await nursery.start(self._proxy.serve)
            install(CONTROL, self._plan.names, port)
            for name in self._plan.names:
                self._machines[name] = self._machine(name, port)
                self._machines[name].restart()
            nursery.start_soon(self._look_after)
            await self._until_ready()
            await self._interpret()
            nursery.cancel_scope.cancel()

    def _machine(self, name: str, port: int) -> LiveMachine:
        job = NodeJob(
            workload=self._plan.reference,
            name=name,
            nodes=self._plan.names,
            seed=self._plan.seed,
            proxy_port=port,
            folder=str((self._place / "nodes" / name).absolute()),
            begin_ns=self._begin_ns,
            incarnation=0,
            options=self._plan.options,
            bug=self._plan.bug,
        )
        log = self._place / "log"
        log.mkdir(exist_ok=True)
        volume = None
        if any(fault.kind in VOLUME_FAULTS for fault in self._plan.faults):
            volume = mount(Path(job.folder) / "data", seed=stream_seed(self._plan.seed, "volume", name))
        return LiveMachine(job, log / f"{name}.log", self._proxy.forget, volume)

    async def _until_ready(self) -> None:
        """Wait until the processes listen; do not wait for a process that has ended."""
        with trio.move_on_after(_READY_S):
            while awaited := self._awaited():
                with trio.move_on_after(_LOOK_S):
                    await self._proxy.until_listening(awaited)

    def _awaited(self) -> list[str]:
        acting = [name for name, one in self._machines.items() if one.is_running and not one.is_paused]
        return [name for name in acting if name not in self._proxy.listening]

    async def _look_after(self) -> None:
        while True:
            for name, machine in self._machines.items():
                machine.look()
                if machine.must_revive and self._nemesis is not None:
                    self._nemesis.revive(name)  # As a supervisor would.
            await trio.sleep(_LOOK_S)

    async def _interpret(self) -> None:
        plan, workload = self._plan, self._workload
        disk = LiveDisk(self._place / "nodes" / CONTROL)
        nemesis = self._nemesis = self._resolved.nemesis(self._proxy, self._machines, ())

        def site(*path: str | int, shared: object = None) -> Site:
            rng = substream(plan.seed, *path)
            return Site(CONTROL, plan.names, disk, rng, options=plan.options, shared=shared)

        opened = workload.shared(plan, site("shared")) if workload.shared is not None else nullcontext()
        try:
            async with opened as shared:
                with nemesis:
                    self._interpretation = await interpret(
                        script(self._resolved, substream(plan.seed, "workload")),
                        connect=lambda process: workload.connect(
                            site("client", process, shared=shared), process
                        ),
                        concurrency=plan.concurrency,
                        record=self._record,
                        now_ns=self._now_ns,
                        timeout_s=workload.timeout_s,
                        nemesis=_Patient(nemesis, self._until_ready),
                        deadline_s=plan.time_limit_s + _FINAL_PHASE_S,
                    )
            if workload.quiescence is not None and self._interpretation.ended == "done":
                await wait_quiescent(workload.quiescence, plan, None)
        finally:
            self._deeds = nemesis.applied

    def _record(self, op: Op) -> None:
        self._ops.append(op)
        if self._journals is not None:
            self._journals[0].write(op)

    def _observe(self, link: tuple[str, str], payload: bytes, begun_s: float, ended_s: float | None) -> None:
        """Keep a message that the proxy has seen."""
        begun_ns = int((begun_s - self._begin_s) * 1e9)
        ended_ns = None if ended_s is None else int((ended_s - self._begin_s) * 1e9)
        message = message_in_words(self._workload, self._plan.names, link, payload, (begun_ns, ended_ns))
        self._messages.append(message)

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._begin_ns

    @contextmanager
    def _none_left(self) -> Iterator[None]:
        """End all processes on exit, whatever happens."""
        try:
            yield
        finally:
            for machine in self._machines.values():
                machine.kill()
                if machine.disk is not None:
                    machine.disk.unmount()

    def _trace(self) -> Trace:
        """The events of all nodes, in order of time."""
        files = [self._place / "nodes" / name / "trace.jsonl" for name in self._plan.names]
        told = [read_trace(file, keep_undamaged=True) for file in files if file.exists()]
        events = tuple(heapq.merge(*told, key=lambda event: event.time))
        if self._journals is not None:
            for event in events:
                self._journals[1].write(event)
        return events

    def _exits(self) -> list[Exit]:
        return [left for machine in self._machines.values() for left in machine.exits]

    def _is_excused(self, left: Exit) -> bool:
        """Whether a node ended because its disk failed, or because it found damage that a fault had done."""
        names = (f"{error.__module__}.{error.__qualname__}" for error in self._workload.detects)
        return left.inflicted or (left.is_disk_damaged and any(name in left.told for name in names))

    def _node_crashes(self) -> list[Finding]:
        """The first end of a node that no fault caused; one that our own code caused convicts nobody."""
        exits = [left for left in self._exits() if not self._is_excused(left)]
        exits.sort(key=lambda left: left.status != ADAPTER_FAILED)
        for left in exits[:1]:
            why = _last_words(left.told) or f"it ended with status {left.status}"
            if left.status == ADAPTER_FAILED:
                told = f"what runs {left.machine} failed, and not the program: {why}"
                return [Finding("adapter failed", "unknown", told, is_ours=True, traceback=left.told)]
            return [Finding("node crashed", "invalid", f"{left.machine} failed by itself: {why}")]
        return []

    def _no_progress(self) -> list[Finding]:
        if self._interpretation is not None and self._interpretation.ended == "done":
            return []
        silent = sorted(set(self._plan.names) - self._proxy.listening)
        told = f"; {', '.join(silent)} never listened" if silent else ""
        why = f"not over {_FINAL_PHASE_S:.0f} s after the time limit{told}"
        return [Finding("no progress", "unknown", why)]


class _Patient:
    """A nemesis whose faults end when the nodes that they stopped listen again."""

    def __init__(self, nemesis: Nemesis, until_ready: Callable[[], Awaitable[None]]) -> None:
        self._nemesis, self._until_ready = nemesis, until_ready

    async def apply(self, op: Op) -> Op:
        ended = await self._nemesis.apply(op)
        if op.f == "heal" or op.f.startswith("stop-"):
            await self._until_ready()
        return ended


def _last_words(told: str) -> str:
    """The last output of a node, without the frame that Python prints around exception groups."""
    unframed = (line.strip(" |+-") for line in reversed(told.splitlines()))
    return next(filter(None, unframed), "")


def _told(left: Exit, is_excused: bool) -> dict[str, Any]:
    return {
        "node": left.machine,
        "incarnation": left.incarnation,
        "time": left.time_ns,
        "inflicted": is_excused,
        "error": f"ended with status {left.status}",
        "traceback": left.told,
    }
