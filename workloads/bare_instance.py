"""An instance of Basic Paxos on the model substrate: what a server does with Trio is done with an event
heap here.

Like a server, it batches: events that arrive during a sync are handled together after it, and effects that
wait for the sync are carried out then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from ostrakon.harness.history import Event as Traced
from ostrakon.harness.history import Op
from ostrakon.harness.model.run import Bare, EndOp
from ostrakon.harness.substrates.latency import Exponential
from ostrakon.harness.substrates.seeds import substream
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.core import (
    Durable,
    Effect,
    Event,
    GetRequested,
    Instance,
    Learned,
    Message,
    Outcome,
    Persist,
    ProposeRequested,
    Received,
    Reply,
    Rules,
    Send,
    SetTimer,
    Started,
    TimerFired,
    TraceEvent,
    persisted_event,
    trace_event,
)
from ostrakon.paxos_impl.core.event import Timer
from ostrakon.paxos_impl.server.timing import Timing

SYNC = Exponential(mean_ms=1.0, floor_ms=0.2)
"""How long a sync takes, as on the simulator's disks."""
Completed = Callable[[Op, Outcome, str], Op]
"""The completed op for an outcome at a node. Raises: Refused."""


class BareInstance:
    """One node: an instance, its disk, its timers and its clients."""

    def __init__(self, bare: Bare, name: str, rules: Rules, completed: Completed) -> None:
        self._name, self._rules, self._completed = name, rules, completed
        self._heap, self._wires, self._events = bare.heap, bare.wires, bare.events
        self._names = bare.plan.names
        self._ids = {name: number for number, name in enumerate(self._names, start=1)}
        self._rng = substream(bare.plan.seed, "site", name)
        self._sync_ns = SYNC.sampler(substream(bare.plan.seed, "disk", name))
        self._faults = substream(bare.plan.seed, "power", name)
        self._timing = Timing()
        self._written = self._synced = Durable()
        self._incarnation = -1
        self._life = 0
        """Counts lives and pauses, so that what was begun in an earlier one has no effect."""
        self.is_running = self.is_paused = False

    # What happens to a machine.

    def start(self) -> None:
        """Begin a life with what is on the disk; it serves once it has noted that durably."""
        self._incarnation += 1
        self._life += 1
        self.is_running, self.is_paused = True, False
        self._synced = self._written
        self._instance = Instance.recover(
            self._ids[self._name],
            tuple(self._ids.values()),
            incarnation=self._incarnation,
            state=self._synced,
            rules=self._rules,
        )
        self._inbox: deque[Event] = deque([Started()])
        self._held: list[Effect] = []
        self._unsaved: Persist | None = None
        self._durable = self._traced = self._requests = 0
        self._deadlines: dict[Timer, int] = {}
        self._clients: dict[int, tuple[Op, EndOp]] = {}
        self._open_ns: dict[str, int] = {}
        self._is_saving = True  # Nothing is heard before the new life is on disk.
        self._is_ready = False
        self._heap.call_in(self._sync_ns(), self._become_ready, self._life)

    def restart(self) -> None:
        """Begin another life."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """End this life. Clients notice it, because their connections break."""
        if not self.is_running:
            return
        self.is_running = self.is_paused = False
        self._life += 1
        for op, answer in self._clients.values():
            answer(replace(op, type="info", error="connection lost: the node is gone"))
        self._clients = {}

    def power_off(self) -> None:
        """End this life without telling anybody; what was being written may be lost."""
        self._clients = {}
        self.kill()
        if self._written != self._synced and self._faults.random() < 0.5:
            self._written = self._synced

    def pause(self) -> None:
        """Stand still; what arrives waits."""
        self.is_paused = self.is_running

    def resume(self) -> None:
        """Go on, late timers first."""
        if self.is_paused:
            self.is_paused = False
            for timer in [timer for timer, due_ns in self._deadlines.items() if due_ns <= self._heap.now_ns]:
                self._fire(timer, self._deadlines[timer], self._life)
            self._work()

    # What arrives.

    def receive(self, sender: str, message: tuple[str, Message]) -> None:
        """A message arrives; it is lost if the instance does not run."""
        if self.is_running and self._is_ready:
            self._inbox.append(Received(message[1], self._ids[sender], message[0]))
            self._work()

    def request(self, op: Op, answer: EndOp) -> None:
        """A client's op: `propose` or `get`."""
        if not self.is_running or not self._is_ready:
            answer(replace(op, type="fail", error="no connection: the node is not there"))
            return
        self._requests += 1
        self._clients[self._requests] = op, answer
        asks = GetRequested(self._requests)
        self._inbox.append(ProposeRequested(self._requests, op.value) if op.f == "propose" else asks)
        self._work()

    # What it does.

    def _become_ready(self, life: int) -> None:
        if life == self._life:
            self._is_ready, self._is_saving = True, False
            self._work()

    def _work(self) -> None:
        """Handle the waiting events, unless it is paused or waits for its disk."""
        inbox = self._inbox
        while inbox and not (self._is_saving or self.is_paused):
            while inbox:
                self._handle(inbox.popleft())
            if self._unsaved is not None:
                self._save(self._unsaved)

    def _handle(self, event: Event) -> None:
        self._instance, effects = self._instance.step(event)
        for effect in effects:
            match effect:
                case Send(after=n) | Reply(after=n) | Learned(after=n):
                    if n is not None and n > self._durable:
                        self._held.append(effect)
                    else:
                        self._emit(effect)
                case Persist():
                    self._unsaved = effect
                case SetTimer(timer, attempt):
                    self._set_timer(timer, attempt)
                case _:
                    self._emit(effect)

    def _save(self, persist: Persist) -> None:
        self._unsaved, self._is_saving = None, True
        self._written = persist.state
        self._heap.call_in(self._sync_ns(), self._saved, persist, self._life)

    def _saved(self, persist: Persist, life: int) -> None:
        if life != self._life:
            return
        self._is_saving = False
        self._synced, self._durable = persist.state, persist.n
        self._trace(persisted_event(persist.n, self._instance.server_id, self._incarnation, self._traced))
        held, self._held = self._held, []
        for effect in held:
            self._emit(effect)
        self._work()

    def _emit(self, effect: Effect) -> None:
        me = self._instance.server_id
        self._trace(trace_event(effect, me, self._incarnation, self._traced))
        match effect:
            case Send(to, message, id):
                for peer in to:
                    if peer == me:
                        self._inbox.append(Received(message, me, id))
                    else:
                        self._send(self._names[peer - 1], (id, message))
            case Reply(request, outcome):
                if (waiting := self._clients.pop(request, None)) is not None:
                    op, answer = waiting
                    answer(self._ended(op, outcome))

    def _send(self, peer: str, message: tuple[str, Message]) -> None:
        """Send a message. The first one to another node waits for a handshake, there and back."""
        now_ns = self._heap.now_ns
        if peer not in self._open_ns:
            there_ns, back_ns = (
                self._wires.latency_ns(*way) for way in ((self._name, peer), (peer, self._name))
            )
            self._open_ns[peer] = now_ns + there_ns + back_ns
        after_ns = max(0, self._open_ns[peer] - now_ns)
        self._wires.send(self._name, peer, message, after_ns=after_ns)

    def _ended(self, op: Op, outcome: Outcome) -> Op:
        try:
            return self._completed(op, outcome, self._name)
        except Refused as why:
            return replace(op, type="fail", error=str(why))

    def _set_timer(self, timer: Timer, attempt: int) -> None:
        due_ns = self._heap.now_ns + int(self._timing.delay_s(timer, attempt, self._rng) * 1e9)
        self._deadlines[timer] = due_ns
        self._heap.call_at(due_ns, self._fire, timer, due_ns, self._life)

    def _fire(self, timer: Timer, due_ns: int, life: int) -> None:
        # A timer that was set anew since then is another one.
        if life == self._life and not self.is_paused and self._deadlines.get(timer) == due_ns:
            del self._deadlines[timer]
            self._inbox.append(TimerFired(timer))
            self._work()

    def _trace(self, told: TraceEvent | None) -> None:
        if told is None:
            return
        self._traced += 1
        self._events.append(
            Traced(
                self._heap.now_ns,
                *(told.node, told.incarnation, told.seq, told.event, told.message, told.cause, told.to),
                *(told.slot, told.ballot, told.value, told.accepted, told.promised, told.members),
                *(told.how, told.detail),
            )
        )
