"""Runs a plan in simulation: nodes, clients and nemesis in one world, and the recording of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any, TypeVar

import msgspec

from ostrakon.harness.client import checked
from ostrakon.harness.effects import inert_faults, told_effects
from ostrakon.harness.history import NEMESIS, Event, History, Op
from ostrakon.harness.history.trace import stamped
from ostrakon.harness.interpreter import Interpretation, client_crashes, interpret
from ostrakon.harness.liveness_phase import CoreTraffic, LivenessPhase, liveness
from ostrakon.harness.message_transitions import MessageTransitions
from ostrakon.harness.note import Notes
from ostrakon.harness.quiescence import wait_quiescent
from ostrakon.harness.recording import Finding, Recording
from ostrakon.harness.requirements import BadWorkload, started
from ostrakon.harness.resolution import ResolvedPlan
from ostrakon.harness.script import FINAL_PHASE_S, script
from ostrakon.harness.sim import ChoiceLog, Crash, Machine, MessageDeviation, StopReason, Waiting, World
from ostrakon.harness.sim.kernel.errors import NotSimulated, SimulationError
from ostrakon.harness.sim.network.network import LinkMessage
from ostrakon.harness.store import RunFolder
from ostrakon.harness.substrate import Substrate
from ostrakon.harness.substrates import CONTROL
from ostrakon.harness.substrates.errors import is_injected, root_cause
from ostrakon.harness.substrates.no_progress import who_waits
from ostrakon.harness.user_code import at, place_in, place_of
from ostrakon.harness.workload import Client, Monitor, Site

ASYNCIO_CLIENTS = "clients"
"""The name of the machine that asyncio clients run on."""
RESTART_S = 0.1
"""Seconds after which a node that ended because of a fault is started again."""
_SHORTLY_S = 0.001


@dataclass(frozen=True, slots=True)
class Branch:
    """Moments at which a caller may fork this process, so that a trial has several futures."""

    at_ns: tuple[int, ...]
    begin: Callable[[int, Any], object]
    """Called at each moment, while no process runs, with the time and a `_Simulation`. In a forked child it
    must call `branch_off` of the simulation and return."""


def simulate(
    resolved: ResolvedPlan,
    folder: RunFolder | None = None,
    *,
    watch: bool = False,
    tap: Callable[[LinkMessage], object] | None = None,
    every_message: Callable[[LinkMessage], object] | None = None,
    choice_log: ChoiceLog | None = None,
    branch: Branch | None = None,
) -> Recording:
    """Run a plan in a world of its own; with a folder, history and trace are written as they grow.

    With `watch`, the workload's monitor observes the run. When it reports a violation, the world stops as
    soon as every task waits, so that all events of that moment are recorded. The history then ends with an op
    `stopped` of the nemesis. `tap` gets every message between nodes, with its number, when the message
    arrives or is lost. `every_message` gets these and, without a number, those of clients. `choice_log`
    records or compares all choices. `branch` has moments at which the process may be forked; a trial that is
    not forked runs as if there were none.

    Raises: any error of the harness itself.
    """
    plan, workload = resolved.plan, resolved.workload
    with ExitStack() as stack:
        world = stack.enter_context(
            World(
                plan.seed,
                latency=resolved.latency,
                framing=workload.framing,
                choice_log=choice_log,
                buggify=plan.buggify,
            )
        )
        for point in workload.points:
            world.sometimes.point(point)
        world.network.on_message = tap or every_message
        world.network.on_unnumbered = every_message
        monitor = workload.watch(plan) if watch and workload.watch is not None else None
        recorder = stack.enter_context(_Recorder(world, folder, monitor, workload.place))
        world.on_note = recorder.note
        # Who has a vocabulary of messages reports events by them.
        is_wanted = resolved.observes_messages and workload.vocabulary is None and every_message is None
        observed = MessageTransitions() if is_wanted and tap is None else None
        if observed is not None:
            _observe(world, recorder.events, observed)
        simulation = _Simulation(resolved, world, recorder)
        if branch is not None:
            for at_ns in branch.at_ns:
                world.call_at(at_ns, branch.begin, at_ns, simulation)
        recording = simulation.run()
        if observed is not None and not recording.trace:
            recording = replace(recording, message_transitions=observed.counts())
        return replace(recording, findings=(*recording.findings, *_endless(world)))


def _observe(world: World, events: Sequence[Event], transitions: MessageTransitions) -> None:
    """Count transitions between kinds of messages until an event is reported, which tells more."""

    def observe(message: LinkMessage) -> None:
        if events:
            world.network.on_message = world.network.on_unnumbered = None
            return
        sender, receiver, payload = message.sender, message.receiver, message.payload
        transitions.add(sender, receiver, payload, is_lost=message.received_ns is None)

    world.network.on_message = world.network.on_unnumbered = observe


def _endless(world: World) -> list[Finding]:
    """Close the world. A program that does not end becomes a finding; the trial keeps its verdict."""
    try:
        world.close()
    except SimulationError as error:
        return [Finding("does not end", "unknown", str(error))]
    return []


_Recorded = TypeVar("_Recorded", Op, Event)


class _Recorder:
    """Records ops and events, in memory and in the run folder, and passes them to the monitor."""

    def __init__(self, world: World, folder: RunFolder | None, monitor: Monitor | None, place: str) -> None:
        self.ops: list[Op] = []
        self.events: list[Event] = []
        self.alarm: str | None = None
        """The first violation that the monitor reported."""
        self.failure: str | None = None
        """The error in the monitor itself, if it failed; it is not called again after that."""
        self._world, self._monitor, self._place = world, monitor, place
        self._journals = folder.journals() if folder is not None else None
        self._notes = Notes()
        self._hash = hashlib.blake2b(digest_size=16)
        self._encode = msgspec.json.Encoder().encode

    def op(self, op: Op) -> None:
        if self._world.closing:
            return
        try:
            written = self._encode(op)
        except (TypeError, ValueError) as error:
            problem = f"the value of {op.f} cannot be written as JSON: {error}"
            raise BadWorkload(at(self._place, problem)) from None
        self.ops.append(op)
        self._hash.update(written)
        if self._journals is not None:
            self._journals[0].write(op)
        if self._monitor is not None:
            self._ask(self._monitor.op, op)

    def event(self, told: Any) -> None:
        if self._world.closing:
            return
        event = stamped(told, self._world.now_ns)
        self.events.append(event)
        self._hash.update(self._encode(event))
        if self._journals is not None:
            self._journals[1].write(event)
        if self._monitor is not None:
            self._ask(self._monitor.event, event)

    def note(self, process: Any, event: str, fields: Mapping[str, Any]) -> None:
        """Record an event that a program noted."""
        self.event(self._notes.event(process.machine.name, process.incarnation, event, fields))

    def stopped(self, why: str) -> None:
        """Mark the end of a history that was stopped early."""
        self.op(Op(len(self.ops), self._world.now_ns, "info", NEMESIS, "stopped", error=why))

    def _ask(self, monitor: Callable[[_Recorded], str | None], recorded: _Recorded) -> None:
        # The monitor runs inside a step of a node, and its errors must not look like the node's.
        try:
            self.alarm = monitor(recorded)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
        if self.alarm is not None or self.failure is not None:
            self._monitor = None

    @property
    def digest(self) -> str:
        return f"{self._hash.hexdigest()}-{self._world.digest}"

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        for journal in self._journals or ():
            journal.close()


class _Simulation:
    """One plan in one world."""

    def __init__(self, resolved: ResolvedPlan, world: World, recorder: _Recorder) -> None:
        plan, workload = resolved.plan, resolved.workload
        self._resolved, self._plan, self._workload = resolved, plan, workload
        self._world, self._recorder = world, recorder
        self._phase = resolved.liveness_phase
        for name in plan.names:
            machine = world.machine(name)
            program = partial(started, workload, self._site(machine, resolved.breakage))
            machine.start(program, runtime=workload.node_loop)
        world.network.deviations = {
            deviation.message: MessageDeviation(deviation.action, deviation.ms)
            for deviation in plan.deviations
        }
        self._control = world.machine(CONTROL, is_node=False)
        self._connect = self._connector()
        nodes = {name: world.machines[name] for name in plan.names}
        moments = resolved.moments(lambda ns, call: world.call_at(world.now_ns + ns, call))
        if moments is not None:
            recorder.events = moments.events
        self._nemesis = resolved.nemesis(world.network, nodes, recorder.events, moments)
        world.on_crash = self._supervise
        self._traffic: list[CoreTraffic] = []
        self._interpretation: Interpretation | None = None
        self._final_ns: int | None = None
        self._waiting: list[Waiting] = []
        """The tasks that waited, and for what, shortly before the deadline."""

    def run(self) -> Recording:
        """Run to the end or to the first violation, and return the recording."""
        world, recorder = self._world, self._recorder
        control = self._control.start(self._interpret, runtime="trio")
        world.call_later(self._deadline_s - _SHORTLY_S, self._look_who_waits)
        if self._phase is not None:
            for second in range(int(self._deadline_s)):
                world.call_later(second, self._look_at_traffic, self._phase.core)
        reason = world.run(stop=lambda: not control.alive or recorder.alarm is not None)
        if control.error is not None:
            raise control.error
        for crash in world.crashes:
            if isinstance(mistake := root_cause(crash.error), BadWorkload):
                raise BadWorkload(at(place_of(self._workload.program) or self._workload.place, str(mistake)))
        stopped = recorder.alarm if control.alive else None
        if stopped is not None:
            recorder.stopped(stopped)
            # A trial that was stopped early may lack progress and effects of faults for that reason alone.
            ending = [Finding("stopped", "unknown", f"stopped before its end: {stopped}")]
        else:
            ending = [
                *self._no_progress(reason),
                *self._liveness(),
                *inert_faults(self._plan, self._nemesis.applied),
            ]
        findings = [
            *client_crashes(self._interpretation, self._workload.connect, self._workload.place),
            *self._node_crashes(),
            *self._nodes_ended(),
            *self._monitor_crashes(),
            *ending,
        ]
        return Recording(
            History(recorder.ops),
            tuple(recorder.events),
            told_effects(self._nemesis.applied),
            tuple(findings),
            self._messages(),
            tuple(self._crashes()),
            world.now_s,
            recorder.digest,
            stopped or "",
            world.sometimes.counts(),
            final_ns=self._final_ns,
        )

    @property
    def world(self) -> World:
        """Where it happens."""
        return self._world

    def branch_off(self, salt: str) -> None:
        """Continue this trial with new random numbers and without further faults."""
        self._world.reseed(salt)
        self._world.network.deviations = {}
        self._nemesis.begin_no_more()

    async def _interpret(self) -> None:
        plan, workload = self._plan, self._workload
        with self._nemesis:
            self._interpretation = await interpret(
                script(self._resolved, self._world.rng("workload"), self._begin_final),
                connect=self._connect,
                concurrency=plan.concurrency,
                record=self._recorder.op,
                now_ns=lambda: self._world.now_ns,
                timeout_s=workload.timeout_s,
                nemesis=self._nemesis,
                deadline_s=self._deadline_s,
            )
            if workload.quiescence is not None and self._interpretation.ended == "done":
                held_up_s = self._world.held_up_s
                await wait_quiescent(workload.quiescence, plan, self._recorder.events, held_up_s=held_up_s)

    def _begin_final(self) -> None:
        if self._final_ns is None:
            self._final_ns = self._world.now_ns

    @property
    def _deadline_s(self) -> float:
        return self._plan.time_limit_s + (self._plan.liveness_s or FINAL_PHASE_S)

    def _supervise(self, crash: Crash) -> None:
        # A node that ends because a fault made its disk fail behaves correctly, so it is started again.
        if is_injected(crash.error):
            self._world.call_later(RESTART_S, self._nemesis.revive, crash.machine)

    def _look_who_waits(self) -> None:
        # At the deadline the waiting tasks are cancelled, so they must be listed before it.
        self._waiting = self._world.waiting()

    def _connector(self) -> Callable[[int], AbstractAsyncContextManager[Client]]:
        """The function that opens the client with a number. Asyncio clients run on a machine of their own."""
        connect, loop = self._workload.connect, self._workload.client_loop
        if loop == "trio":
            return lambda process: connect(self._clients_site(), process)
        from ostrakon.harness.sim.machine.asyncio_clients import AsyncioClients

        clients = AsyncioClients(self._world.machine(ASYNCIO_CLIENTS, is_node=False), loop)
        return lambda process: clients.connect(lambda: checked(connect(self._clients_site(), process)))

    def _clients_site(self) -> Site:
        """The site of a client that connects now. In the liveness phase it has only the nodes of the core."""
        site = self._site(self._control, None)
        is_in_phase = len(self._nemesis.applied) > len(self._plan.faults)
        return replace(site, nodes=self._phase.core) if self._phase is not None and is_in_phase else site

    def _site(self, machine: Machine, breakage: Any) -> Site:
        return Site(
            machine.name,
            self._plan.names,
            machine.disk,
            self._world.rng("site", machine.name),
            self._recorder.event,
            self._plan.options,
            breakage,
        )

    def _no_progress(self, reason: StopReason) -> list[Finding]:
        ended = self._interpretation.ended if self._interpretation is not None else None
        if reason is StopReason.STOPPED and (ended == "done" or self._phase is not None):
            return []
        # The clients first, because the trial waits for what the clients wait for.
        waiting = sorted(self._waiting or self._world.waiting(), key=lambda one: one.machine != CONTROL)
        told = "; ".join(who_waits(waiting))
        why = f"not over {FINAL_PHASE_S:.0f} s after the time limit; who waits for what: {told}"
        return [Finding("no progress", "unknown", why)]

    def _liveness(self) -> list[Finding]:
        if self._phase is None:
            return []
        self._look_at_traffic(self._phase.core)
        # A node detects damage again at each start; one that a device error ended may be started again.
        damaged = {crash.machine for crash in self._world.crashes if self._has_detected_damage(crash)}
        if ended := [node for node in self._phase.core if node in damaged]:
            why = f"{' and '.join(ended)} of the core detected damage of the disk, and did not start again"
            return [Finding("no evidence", "unknown", why)]
        return liveness(
            self._phase,
            History(self._recorder.ops),
            since_ns=int(self._plan.time_limit_s * 1e9),
            concurrency=self._plan.concurrency,
            traffic=self._traffic,
            waiting=self._waiting_at_last(self._phase),
        )

    def _waiting_at_last(self, phase: LivenessPhase) -> list[Waiting]:
        """The tasks that waited shortly before the end; at the end no task waits any more."""
        among = (CONTROL, *phase.core)
        return [waiting for waiting in self._waiting or self._world.waiting() if waiting.machine in among]

    def _look_at_traffic(self, core: Sequence[str]) -> None:
        links = [self._world.network.link(*pair) for pair in permutations(core, 2)]
        self._traffic.append(CoreTraffic(self._world.now_ns, sum(link.sent for link in links)))

    def _node_crashes(self) -> list[Finding]:
        for crash in self._world.crashes:
            if crash.machine == CONTROL or self._is_inflicted(crash):
                continue
            error = root_cause(crash.error)
            told = f"{type(error).__name__}: {error}"
            if isinstance(error, NotSimulated):
                why = at(place_in(crash.traceback), f"{crash.machine} did what cannot be simulated: {told}")
                return [Finding("not simulated", "unknown", why, is_ours=True)]
            why = at(place_in(crash.traceback), f"{crash.machine} failed by itself: {told}")
            place = place_in(crash.traceback)
            manner = " at ".join(filter(None, (type(error).__name__, place)))
            return [Finding("node crashed", "invalid", why, manner=manner)]
        return []

    def _nodes_ended(self) -> list[Finding]:
        """The finding for programs that returned: no node was left to answer, so no operation succeeded."""
        processes = [self._world.machines[name].process for name in self._plan.names]
        ended = [one.ended_ns for one in processes if one is not None and one.state == "ended"]
        if len(ended) < len(processes):
            return []
        at_s = max(ns for ns in ended if ns is not None) / 1e9
        which = "the node" if len(ended) == 1 else "all nodes"
        why = f"{which} ended at {at_s:.1f} s: a program must run until it is stopped, and this one returned"
        return [
            Finding(
                "nodes ended",
                "unknown",
                at(place_of(self._workload.program) or self._workload.place, why),
                is_ours=True,
            )
        ]

    def _monitor_crashes(self) -> list[Finding]:
        failure = self._recorder.failure
        if failure is None:
            return []
        return [Finding("monitor crashed", "unknown", f"what watched the trial failed: {failure}")]

    def _is_inflicted(self, crash: Crash) -> bool:
        """Whether a fault ended the node: by a device error, or by damage that the program detected."""
        return is_injected(crash.error) or self._has_detected_damage(crash)

    def _has_detected_damage(self, crash: Crash) -> bool:
        """Whether the node ended because it detected damage that a fault may have left on its disk."""
        return (
            isinstance(root_cause(crash.error), self._workload.detects)
            and self._world.machines[crash.machine].disk.may_be_damaged
        )

    def _crashes(self) -> list[dict[str, Any]]:
        return [
            {
                "node": crash.machine,
                "incarnation": crash.incarnation,
                "time": crash.time_ns,
                "inflicted": self._is_inflicted(crash),
                "error": f"{type(root_cause(crash.error)).__name__}: {root_cause(crash.error)}",
                "traceback": crash.traceback,
            }
            for crash in self._world.crashes
            if crash.machine != CONTROL
        ]

    def _messages(self) -> dict[str, Any]:
        return {"messages": self._world.network.messages}


class _Sim:
    """The substrate `sim`."""

    def require(self, plan: ResolvedPlan) -> None:
        """Refuse programs and clients whose event loop is not known. Raises: BadPlan."""
        _ = plan.workload.node_loop, plan.workload.client_loop

    def run(self, plan: ResolvedPlan, folder: RunFolder | None, *, watch: bool) -> Recording:
        """Run a plan in a new world."""
        return simulate(plan, folder, watch=watch)


SUBSTRATE: Substrate = _Sim()
