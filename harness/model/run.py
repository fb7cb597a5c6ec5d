"""The substrate `model`: runs a plan on bare nodes, which are called by an event heap.

Script, faults and recording are those of a simulation. A node is called when a message, a request or a timer
arrives, so a whole trial is one loop over the heap. There are no sockets, no frames and no event loops.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from ostrakon.harness.client import OVER
from ostrakon.harness.effects import inert_faults, told_effects
from ostrakon.harness.faults import Machine, Nemesis
from ostrakon.harness.generator import Generator
from ostrakon.harness.generator.scheduler import Scheduler, Wait
from ostrakon.harness.history import Event, Op
from ostrakon.harness.model.heap import Heap
from ostrakon.harness.model.recording import recording
from ostrakon.harness.model.wires import Wires
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.recording import Finding, Recording
from ostrakon.harness.resolution import ResolvedPlan
from ostrakon.harness.script import FINAL_PHASE_S, script
from ostrakon.harness.store import RunFolder
from ostrakon.harness.substrate import Substrate
from ostrakon.harness.substrates import CONTROL
from ostrakon.harness.substrates.errors import is_injected
from ostrakon.harness.substrates.seeds import substream

RESTART_S = 0.1
"""Seconds after which a node that ended because of a fault is started again."""
_LOOK_EVERY_NS = 50_000_000
"""Interval, in nanoseconds, at which the run checks whether the nodes are quiescent."""

EndOp = Callable[[Op], None]
"""Takes a completed op."""


class Node(Machine, Protocol):
    """A bare node: a machine that receives messages of nodes and requests of clients."""

    def start(self) -> None:
        """Begin to run, at the beginning of the trial."""

    def receive(self, sender: str, message: Any) -> None:
        """A message from another node arrives."""

    def request(self, op: Op, answer: EndOp) -> None:
        """A client's op arrives. The node calls `answer` once, at any time, with the completed op."""


class Bare(Protocol):
    """What a bare node may use: the plan, the time, the network and the list of events."""

    plan: Plan
    heap: Heap
    wires: Wires
    events: list[Event]
    """The events that nodes have reported; each node appends its own events."""

    def crashed(self, name: str, incarnation: int, error: BaseException) -> None:
        """The program of a node has failed, and no fault made it fail; the node no longer runs."""


NodeFactory = Callable[[Bare, str], Node]
"""Makes the node of this name."""


class Clients(Protocol):
    """All client processes of a trial."""

    def begin(self, op: Op, end: EndOp) -> None:
        """Let the op's process perform the op; then call `end` with the outcome. Only the first call counts,
        and no call at all is allowed."""

    def give_up(self, op: Op) -> None:
        """The op has timed out: no outcome is needed."""


ClientsFactory = Callable[[Bare, Mapping[str, Any]], Clients]
"""Makes the clients from all nodes by name."""


def run_bare(
    plan: ResolvedPlan,
    make_node: NodeFactory,
    make_clients: ClientsFactory,
    *,
    folder: RunFolder | None = None,
) -> Recording:
    """Run a plan.

    Raises: whatever a node, a client, the generator or the nemesis raises.
    """
    # Nodes and messages are frozen data without cycles, so a search for cycles would find nothing, and it
    # would take a quarter of the time.
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        return _Run(plan, make_node, make_clients).run(folder)
    finally:
        if is_collecting:
            gc.enable()


def asking(asked_by: Callable[[int], str]) -> ClientsFactory:
    """Clients that send each op to one node, whose answer ends it; `asked_by` maps a process to its node."""
    return lambda bare, nodes: _AskingClients(bare, nodes, asked_by)


class _AskingClients:
    def __init__(self, bare: Bare, nodes: Mapping[str, Node], asked_by: Callable[[int], str]) -> None:
        self._heap, self._wires, self._nodes, self._asked_by = bare.heap, bare.wires, nodes, asked_by
        self._connected: set[int] = set()

    def begin(self, op: Op, end: EndOp) -> None:
        assert isinstance(op.process, int)
        node = self._asked_by(op.process)
        # The first request of a client comes after a handshake, which is one round trip.
        trips = 1 if op.process in self._connected else 3
        self._connected.add(op.process)
        delay_ns = sum(self._wires.latency_ns(CONTROL, node) for _ in range(trips))
        self._heap.call_in(delay_ns, self._nodes[node].request, op, partial(self._answer, node, end))

    def give_up(self, op: Op) -> None:
        pass

    def _answer(self, node: str, end: EndOp, ended: Op) -> None:
        self._heap.call_in(self._wires.latency_ns(node, CONTROL), end, ended)


class _Run:
    """One trial. It is the `Bare` of its nodes."""

    def __init__(self, resolved: ResolvedPlan, make_node: NodeFactory, make_clients: ClientsFactory) -> None:
        plan = self.plan = resolved.plan
        self.heap = Heap()
        self.wires = Wires(plan, resolved.latency, self.heap)
        moments = resolved.moments(self.heap.call_in)
        self.events: list[Event] = moments.events if moments is not None else []
        self.ops: list[Op] = []
        self._crashes: list[tuple[str, int, int, BaseException]] = []
        self.nodes: Mapping[str, Node] = {name: make_node(self, name) for name in plan.names}
        self.wires.join({name: node.receive for name, node in self.nodes.items()})
        self._quiescence = resolved.workload.quiescence
        self._timeout_ns = int(resolved.workload.timeout_s * 1e9)
        self._clients = make_clients(self, self.nodes)
        self._final_ns: int | None = None
        generator = script(resolved, substream(plan.seed, "workload"), self._begin_final)
        self._nemesis = resolved.nemesis(self.wires, self.nodes, self.events, moments)
        self._dispatcher = _Dispatcher(self, generator, self._nemesis)

    def run(self, folder: RunFolder | None) -> Recording:
        """Run the trial to its end, and return the recording."""
        for node in self.nodes.values():
            node.start()
        dispatcher = self._dispatcher
        self.heap.call_at(0, dispatcher.move)
        with self._nemesis:
            self.heap.run(int((self.plan.time_limit_s + FINAL_PHASE_S) * 1e9))
            findings = [] if dispatcher.is_over else [self._no_progress()]
            if dispatcher.is_over:
                self._wait_quiescent()
            dispatcher.break_off()
        applied = self._nemesis.applied
        return recording(
            self.ops,
            self.events,
            folder,
            now_ns=self.heap.now_ns,
            effects=told_effects(applied),
            findings=[*self._node_crashes(), *findings, *inert_faults(self.plan, applied)],
            network={"messages": self.wires.messages, "delivered": self.wires.delivered},
            crashes=[_told(*crash) for crash in self._crashes],
            final_ns=self._final_ns,
        )

    def _begin_final(self) -> None:
        if self._final_ns is None:
            self._final_ns = self.heap.now_ns

    def begin(self, op: Op, end: EndOp) -> None:
        """Let a client perform an op, which ends with the client's outcome or with a timeout."""
        self._clients.begin(op, end)
        self.heap.call_in(self._timeout_ns, self._silence, op, end)

    def _silence(self, op: Op, end: EndOp) -> None:
        self._clients.give_up(op)
        end(replace(op, type="info", error=f"no answer within {self._timeout_ns / 1e9:g} s"))

    def crashed(self, name: str, incarnation: int, error: BaseException) -> None:
        """The program of a node has failed, and no fault made it fail."""
        self._crashes.append((name, incarnation, self.heap.now_ns, error))
        # A node may end because a fault made its disk fail. A supervisor then starts it again.
        if is_injected(error):
            self.heap.call_in(int(RESTART_S * 1e9), self._nemesis.revive, name)

    def _wait_quiescent(self) -> None:
        """Run until no node is behind the others, or the time for that is over."""
        quiescence, heap = self._quiescence, self.heap
        if quiescence is None:
            return
        held_up_ns = max(heap.now_ns, self.wires.held_up_until_ns)
        end_ns = held_up_ns + int(quiescence.most_s * 1e9)
        while heap.now_ns < end_ns and not quiescence.is_over(self.plan, self.events):
            until_ns = min(heap.now_ns + _LOOK_EVERY_NS, end_ns)
            heap.call_at(until_ns, lambda: None)
            heap.run(until_ns)

    def _node_crashes(self) -> list[Finding]:
        for name, _, _, error in self._crashes:
            if not is_injected(error):
                why = f"{name} failed by itself: {type(error).__name__}: {error}"
                return [Finding("node crashed", "invalid", why)]
        return []

    def _no_progress(self) -> Finding:
        why = f"not over {FINAL_PHASE_S:.0f} s after the time limit"
        return Finding("no progress", "unknown", why)


class _Dispatcher:
    """Begins ops at the times that the generator asks for, and records their outcomes."""

    def __init__(self, run: _Run, generator: Generator, nemesis: Nemesis) -> None:
        self.is_over = False
        self._run, self._heap, self._nemesis = run, run.heap, nemesis
        self._scheduler = Scheduler(generator, run.plan.concurrency, nemesis=True)
        self._alarm_ns: int | None = None
        self._is_moving = False

    def move(self) -> None:
        """Begin every op that can begin now."""
        self._is_moving = False
        now_ns, scheduler = self._heap.now_ns, self._scheduler
        while (move := scheduler.next(now_ns)) is not None:
            if isinstance(move, Wait):
                self._set_alarm(move.until_ns)
                return
            self._run.ops.append(move)
            if move.is_client:
                self._run.begin(move, self.end)
            else:
                ended = _at_once(self._nemesis.apply(move))
                self.end(replace(move, type="info", value=ended.value, error=ended.error))
        self.is_over = True
        self._heap.stop()

    def end(self, ended: Op) -> None:
        """Record the end of an op, unless it has ended before."""
        if self._scheduler.is_in_flight(ended) and self._is_latest(ended):
            self._run.ops.append(self._scheduler.end(replace(ended, time=self._heap.now_ns)))
            self._move_soon()

    def break_off(self) -> None:
        """End all ops in flight as info, because nobody knows their outcomes."""
        for op in list(self._scheduler.in_flight.values()):
            self.end(replace(op, type="info", error=OVER))

    def _is_latest(self, ended: Op) -> bool:
        # `ended` has the index of its invocation, which differs if the timeout of an earlier op ends it.
        return self._scheduler.in_flight[self._scheduler.thread_of(ended)].index == ended.index

    def _move_soon(self) -> None:
        """Begin ops after all ops that end at this instant have ended: they are not concurrent with these."""
        if not self._is_moving:
            self._is_moving = True
            self._heap.call_in(0, self.move)

    def _set_alarm(self, until_ns: int | None) -> None:
        if until_ns is not None and until_ns != self._alarm_ns:
            self._heap.call_at(until_ns, self._ring, until_ns)
        self._alarm_ns = until_ns

    def _ring(self, at_ns: int) -> None:
        # Only the last alarm counts; earlier alarms may have other times.
        if at_ns == self._alarm_ns:
            self._alarm_ns = None
            self.move()


def _told(name: str, incarnation: int, time_ns: int, error: BaseException) -> dict[str, Any]:
    return {
        "node": name,
        "incarnation": incarnation,
        "time": time_ns,
        "inflicted": is_injected(error),
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }


def _at_once(work: Coroutine[Any, Any, Op]) -> Op:
    """The result of an async function that never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        ended: Op = done.value
        return ended
    raise AssertionError("the nemesis waited")


class _ModelSubstrate:
    """The substrate `model`, for workloads that have bare nodes."""

    def require(self, plan: ResolvedPlan) -> None:
        """Check that the workload of a plan has bare nodes. Raises: BadPlan."""
        if plan.workload.model is None:
            raise BadPlan(
                f"the workload {plan.workload.name!r} has no bare core for the substrate 'model'; try 'sim'"
            )

    def run(self, plan: ResolvedPlan, folder: RunFolder | None, *, watch: bool) -> Recording:
        """Run a plan on the workload's bare nodes; it never stops early. Raises: BadPlan."""
        assert plan.workload.model is not None, "required"
        return plan.workload.model(plan, folder)


SUBSTRATE: Substrate = _ModelSubstrate()
