"""A replica of the store on the model substrate: the server's own node and storage, run by the event heap.

Only code that waits is replaced: the driver's loop, links between servers, and connections of clients. The
core, the state machine, sessions, snapshots and every file on the disk are those of a real server, so a bug
in any of these can be found here too.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from ostrakon.harness.history.trace import stamped
from ostrakon.harness.model.devices import BareDisk, bare_clock
from ostrakon.harness.model.run import Bare
from ostrakon.harness.model.task import HeapEvent, Task
from ostrakon.harness.substrates.seeds import substream
from ostrakon.paxos_impl.core import TraceEvent, persisted_event
from ostrakon.paxos_impl.core.multi import (
    ClockReading,
    Configuration,
    Effect,
    Event,
    Image,
    Received,
    Snapshot,
    SnapshotSaved,
    Started,
    TimerFired,
)
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.driver import Driver, EventMakers, Tracer
from ostrakon.paxos_impl.server.groups_handler import GroupsHandler
from ostrakon.paxos_impl.server.groups_server import group_tracer
from ostrakon.paxos_impl.server.log_record import no_log
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_handler import ReplicaHandler
from ostrakon.paxos_impl.server.replica_node import NodeContext, ReplicaNode
from ostrakon.paxos_impl.server.replica_server import recover_state
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.group_journal import GroupJournal
from ostrakon.paxos_impl.storage.group_storage import GroupStorages
from ostrakon.paxos_impl.storage.replica_storage import StableStorage
from ostrakon.paxos_impl.wire.decree import EnvelopeHeader
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.workloads.log_bugs import Breakage, ReadsClock

Respond = Callable[[Any], None]
"""Takes the answer to a request, or why there is none."""


class NoResponse(enum.Enum):
    """Why a request gets no answer."""

    REFUSED = enum.auto()
    """Nothing listened, so the request did not arrive."""
    LOST = enum.auto()
    """The connection broke after the request had arrived."""


class BareReplica:
    """One machine: its disk and clocks, and the server that runs on it."""

    def __init__(self, bare: Bare, name: str, config: ReplicaConfig, breakage: Breakage) -> None:
        self.name, self._bare, self._config, self._breakage = name, bare, config, breakage
        self.heap = bare.heap
        self._ids = {name: number for number, name in enumerate(bare.plan.names, start=1)}
        self.rng = substream(bare.plan.seed, "site", name)
        self.disk = BareDisk(name, bare.plan.seed, bare.heap)
        self.clock = bare_clock(bare.heap, self._clock_changed)
        self.is_running = self.is_paused = self._has_power = False
        self._life = self._lives = 0
        """The number of this life, counted over all lives. Events of an earlier life have no effect."""
        self._server: _Server | None = None
        self._late: list[Callable[[], object]] = []
        """Calls that became due while the process was paused."""
        self._tasks: dict[Task[Any], None] = {}
        self._waiting: dict[int, Respond] = {}
        """The clients that wait for an answer, by the number of their request."""
        self._requests = 0
        self._open_ns: dict[str, int] = {}
        self._turns = 0
        self._crashes: list[list[Any]] = []

    # What happens to the machine.

    def start(self) -> None:
        """Begin a life with what is on the disk."""
        self._lives += 1
        self._life = self._lives
        self.is_running, self.is_paused, self.disk.is_off = True, False, False
        self._has_power = True
        self._server, self._open_ns = None, {}
        # Not at once: a fault that starts a machine must be done before the program can meet another fault.
        self.heap.call_in(0, self._guarded, self._life, self._begin)

    def _begin(self) -> None:
        self.spawn(self._recover(), self._recovered)

    def restart(self) -> None:
        """Begin another life."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """End this life. What was written stays; clients notice, because their connections break."""
        if not self.is_running:
            return
        self.is_running = self.is_paused = False
        self.disk.is_off = True
        self._life = 0
        self._server, self._late = None, []
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.cancel()
        waiting, self._waiting = self._waiting, {}
        for respond in waiting.values():
            respond(NoResponse.LOST)

    def power_off(self) -> None:
        """End this life without telling anybody, and lose what was not synced."""
        self._waiting, self._has_power = {}, False
        self.kill()
        self.disk.power_off()

    def pause(self) -> None:
        """Pause; what arrives or becomes due waits."""
        self.is_paused = self.is_running

    def resume(self) -> None:
        """Go on."""
        if self.is_paused:
            self.is_paused = False
            late, self._late = self._late, []
            for call in late:
                self.heap.call_in(0, self._guarded, self._life, call)

    @property
    def progress(self) -> tuple[int, int]:
        """A value that changes whenever the server handles an event."""
        return self._lives, self._turns

    def crash_after(self, turns: int, crash: Callable[[], object]) -> None:
        """Call `crash` instead of a turn of the server, after so many further turns."""
        self._crashes.append([turns, crash])

    def spare(self, crash: Callable[[], object]) -> None:
        """Do not call this crash any more."""
        self._crashes = [each for each in self._crashes if each[1] is not crash]

    # What the server asks of its machine.

    def now(self) -> ClockReading:
        """The times that the clocks show."""
        return ClockReading(self.clock.current_time(), self.clock.wall_time())

    def spawn(self, work: Any, ended: Callable[[Any, Exception | None], object]) -> None:
        """Run a coroutine of the process."""
        life = self._life
        task: Task[Any]

        def done(value: Any, error: Exception | None) -> None:
            if started:
                self._tasks.pop(task, None)
            ended(value, error)

        def call_in(delay_ns: int, call: Callable[[], object]) -> None:
            self.heap.call_in(delay_ns, self._guarded, life, call)

        started: list[None] = []
        task = Task(work, call_in, done)
        started.append(None)
        if self._life == life and not task.is_over:
            self._tasks[task] = None

    def call_in(self, delay_ns: int, call: Callable[[], object]) -> None:
        """Call a function of the process after a while."""
        self.heap.call_in(delay_ns, self._guarded, self._life, call)

    def call_at(self, at_ns: int, call: Callable[[], object]) -> None:
        """Call a function of the process at a time."""
        self.heap.call_at(max(at_ns, self.heap.now_ns), self._guarded, self._life, call)

    def _guarded(self, life: int, call: Callable[[], object]) -> None:
        """Call a function of the process if the process still lives; later, if it stands still."""
        if life == self._life:
            if self.is_paused:
                self._late.append(call)
            else:
                call()

    def send(self, host: str, message: tuple[str, Any, int]) -> None:
        """Send a message to another server. The first one waits for a handshake, there and back."""
        wires, now_ns = self._bare.wires, self.heap.now_ns
        if host not in self._open_ns:
            there_ns, back_ns = (wires.latency_ns(*way) for way in ((self.name, host), (host, self.name)))
            self._open_ns[host] = now_ns + there_ns + back_ns
        wires.send(self.name, host, message, after_ns=max(0, self._open_ns[host] - now_ns))

    def record(self, event: TraceEvent) -> None:
        """Record a protocol event."""
        self._bare.events.append(stamped(event, self.heap.now_ns))

    def fail(self, error: BaseException) -> None:
        """The server has stopped with an error."""
        if not self.is_running:
            return  # Another task of it had given up already.
        server, incarnation = self._server, self._lives - 1
        if server is not None:
            incarnation = server.incarnation
        self.kill()
        self._bare.crashed(self.name, incarnation, error)

    def turn(self) -> bool:
        """Note that the server handles another event; False if it is crashed instead."""
        self._turns += 1
        if self._crashes:
            for each in self._crashes[:]:
                each[0] -= 1
                if each[0] == 0:
                    each[1]()
        return self.is_running

    # What arrives.

    def receive(self, sender: str, message: tuple[str, Any, int]) -> None:
        """A message of another server arrives; it is lost if no server runs here."""
        server = self._server
        if server is not None:
            id, body, group = message
            number = self._ids[sender]
            if number not in server.peers.addresses:
                server.peers.add(number, Address(sender, self._config.address.port))
            if self.is_paused:
                self._late.append(partial(server.receive, group, body, number, id))
            else:
                server.receive(group, body, number, id)

    def request(self, op: object, answer: object) -> None:
        """Never called: the clients of bare stores call `serve`."""
        raise AssertionError(f"{self.name} was given {op} as if it were no store")

    def serve(self, request: Any, size: int, respond: Respond) -> None:
        """A request of a client arrives."""
        server = self._server
        if server is None:
            if self._has_power:  # Without power, nothing says that nobody listens.
                respond(NoResponse.REFUSED)
            return
        self._requests += 1
        number = self._requests
        self._waiting[number] = respond
        self._guarded(self._life, partial(server.serve, request, size, partial(self._answer, number)))

    def _answer(self, number: int, answer: object) -> None:
        if (respond := self._waiting.pop(number, None)) is not None:
            respond(answer)

    # From the disk.

    async def _recover(self) -> _Server:
        disk = cast(
            Any, self.disk if self._breakage.disk is None else self._breakage.disk(cast(Any, self.disk))
        )
        server = _Server(self, self._config, self._breakage)
        await (server.recover(disk) if self._config.groups == 1 else server.recover_groups(disk))
        return server

    def _recovered(self, server: _Server | None, error: Exception | None) -> None:
        if error is not None:
            self.fail(error)
            return
        assert server is not None
        self._server = server
        server.start()

    def _clock_changed(self) -> None:
        if self._server is not None:
            self._server.clock_changed()


class _Server:
    """One life of the server: a node for each group, and what they share."""

    def __init__(self, machine: BareReplica, config: ReplicaConfig, breakage: Breakage) -> None:
        self._machine, self._config, self._breakage = machine, config, breakage
        self.incarnation = 0
        self.peers = _BarePeers(config)
        self._nodes: list[_BareNode] = []
        self._drivers: list[_BareDriver] = []
        self._receivers: Sequence[Any] = self._drivers
        """The receivers of messages, by group; a seeded bug may deliver some to another group, too."""
        self._handler: ReplicaHandler | GroupsHandler
        self._journal: GroupJournal | None = None

    async def recover(self, disk: Disk) -> None:
        """Read the state of one group. Raises: what storage raises."""
        config = self._config
        recover = partial(
            self._breakage.storage.recover,
            disk,
            config.founders,
            config.server_id,
            segment_bytes=config.compaction.segment_bytes,
        )
        await self._recover_group(0, recover, self._machine.record)
        self._handler = ReplicaHandler(self._nodes[0])

    async def recover_groups(self, disk: Disk) -> None:
        """Read the state of all groups, and what they share. Raises: what storage raises."""
        config = self._config
        storages = await GroupStorages.recover(
            disk,
            config.founders,
            config.server_id,
            config.groups,
            bytes_max=config.compaction.segment_bytes,
            journal=partial(self._breakage.journal, loop=_HeapLoop(self._machine)),
        )
        numbers = itertools.count()
        for group in range(config.groups):
            tracer = group_tracer(group, self._machine.record, storages.incarnation, numbers)
            await self._recover_group(group, partial(storages.recover_group, group), tracer)
        await storages.begin()
        self._journal = storages.journal
        server = self._breakage.node(self._nodes, cast(Any, self.peers), storages.journal)
        self._receivers, self._handler = server.drivers, server.handler

    def start(self) -> None:
        """Begin to handle events."""
        if self._journal is not None:
            self._machine.spawn(self._journal.run(), self._journal_ended)
        for driver in self._drivers:
            driver.submit(Started())

    def receive(self, group: int, message: Any, sender: int, id: str) -> None:
        """A message has arrived."""
        if self._machine.is_running:
            self._receivers[group].receive(message, sender, id)

    def serve(self, request: Any, size: int, respond: Respond) -> None:
        """Begin to serve a request."""
        self._handler.serve(cast(Any, _BareConnection(respond)), request, size)

    def clock_changed(self) -> None:
        """Timeouts fall at other times than before."""
        for driver in self._drivers:
            driver.clock_changed()

    async def _recover_group(
        self, group: int, recover: Callable[..., Awaitable[StableStorage]], tracer: Tracer
    ) -> None:
        machine, config, breakage = self._machine, self._config, self._breakage
        store = (breakage.machine or Store)()
        if isinstance(store, ReadsClock):
            store.now_s = machine.clock.current_time
        sessions = (breakage.sessions or Sessions)(store)
        storage = await recover_state(config, sessions, breakage.rules, recover)
        self.incarnation = storage.incarnation
        driver = _BareDriver(machine, config.server_id, storage.incarnation, tracer, group)
        context = NodeContext(store, sessions, machine.rng, breakage.rules, no_log, machine.now)
        node = _BareNode(config, storage, driver, cast(Any, self.peers), context)
        node.write_snapshots(machine)
        driver.drive(node, self.peers)
        self._nodes.append(node)
        self._drivers.append(driver)

    def _journal_ended(self, _: object, error: Exception | None) -> None:
        assert error is not None, "a journal runs for ever"
        self._machine.fail(error)


class _HeapLoop:
    """The event loop of a bare server's storage. An `EventLoop`."""

    def __init__(self, machine: BareReplica) -> None:
        self._machine = machine

    def event(self) -> HeapEvent:
        return HeapEvent(self._machine.call_in)

    def now_s(self) -> float:
        return self._machine.clock.current_time()

    async def run_all(self, works: list[Callable[[], Awaitable[None]]]) -> None:
        ended = [self.event() for _ in works]

        async def run(work: Callable[[], Awaitable[None]], event: HeapEvent) -> None:
            await work()
            event.set()

        for work, event in zip(works, ended, strict=True):
            self._machine.spawn(run(work, event), lambda _, error: _raised(error))
        for event in ended:
            await event.wait()


def _raised(error: Exception | None) -> None:
    if error is not None:
        raise error


class _BareConnection:
    """What a request handler sees of a client that has asked one thing."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def answer(self, request: int, answer: object) -> None:
        self._respond(answer)

    def submit(
        self,
        request: int,
        queue: _BareDriver,
        event: Callable[[int], Any],
        size: int = 0,
        kind: str = "request",
    ) -> None:
        queue.ask(event, self._respond, size)


class _BarePeers:
    """The addresses of the servers that are known."""

    def __init__(self, config: ReplicaConfig) -> None:
        self.addresses = dict(config.membership.members)
        self.links: Mapping[int, Any] = {}

    def add(self, id: int, address: Address) -> None:
        self.addresses.setdefault(id, address)


class _BareNode(ReplicaNode):
    """A node whose snapshots are saved on the heap."""

    def write_snapshots(self, machine: BareReplica) -> None:
        """Save snapshots by coroutines of this machine."""
        saved: Callable[[Image], None] = lambda image: self._driver.submit(SnapshotSaved(image))  # noqa: E731
        self._snapshots = cast(Any, _BareSnapshotWriter(machine, self._storage, saved))


class _BareSnapshotWriter:
    """Saves one snapshot at a time; of those that wait, only the newest is saved."""

    def __init__(self, machine: BareReplica, storage: StableStorage, saved: Callable[[Image], None]) -> None:
        self._machine, self._storage, self._saved = machine, storage, saved
        self._waiting: Image | None = None
        self._is_saving = False

    def take(
        self, slot: int, configurations: tuple[Configuration, ...], parts: Callable[[], Iterator[bytes]]
    ) -> None:
        self.save(Image.of(Snapshot(slot, configurations, b"".join(parts()))))

    def save(self, image: Image) -> None:
        if self._waiting is None or image.slot > self._waiting.slot:
            self._waiting = image
        self._begin()

    def _begin(self) -> None:
        if self._is_saving or self._waiting is None:
            return
        image, self._waiting, self._is_saving = self._waiting, None, True
        self._machine.spawn(self._storage.save_snapshot(image), partial(self._ended, image))

    def _ended(self, image: Image, _: object, error: Exception | None) -> None:
        self._is_saving = False
        if error is not None:
            self._machine.fail(error)
            return
        self._saved(image)
        self._begin()


class _BareDriver(Driver[Event, Effect]):
    """The driver of a bare node: its loop is called when something happens, instead of waiting for it."""

    def __init__(
        self, machine: BareReplica, server_id: int, incarnation: int, tracer: Tracer, group: int
    ) -> None:
        super().__init__(
            server_id, incarnation, {}, EnvelopeHeader(0, group), tracer, EventMakers(Received, TimerFired)
        )
        self._machine, self._clock, self._group = machine, machine.clock, group
        self._node: _BareNode | None = None
        self._peers: _BarePeers | None = None
        self._is_saving = self._is_working = False
        self._alarm_ns: float = math.inf
        self._alarm_s = math.inf
        """When the alarm is due, in true time and by the node's own clock."""

    def drive(self, node: _BareNode, peers: _BarePeers) -> None:
        """From now on, handle events."""
        self._node, self._peers = node, peers

    def submit(self, event: Event) -> None:
        """Queue an event, and handle it unless the node waits for its disk."""
        self._inbox.append(event)
        self._work()

    def set_timer(self, timer: str, delay_s: float) -> None:
        """Let a timer fire after a delay, instead of when it was set to before."""
        self._deadlines[timer] = due_s = self._clock.current_time() + delay_s
        if due_s < self._alarm_s:
            self._set_alarm(due_s)

    def clock_changed(self) -> None:
        """Timeouts fall at other times than before."""
        self._alarm_ns = self._alarm_s = math.inf
        if self._deadlines:
            self._set_alarm(min(self._deadlines.values()))

    def send(self, to: tuple[int, ...], message: Any, id: str) -> None:
        """Send a message; a message to this server itself arrives like any other."""
        assert self._peers is not None
        for peer in to:
            if peer == self._me:
                self._inbox.append(Received(message, self._me, id))
            elif (address := self._peers.addresses.get(peer)) is not None:
                self._machine.send(address.host, (id, message, self._group))

    def _work(self) -> None:
        """Handle the waiting events, as `Driver.run` does."""
        node, inbox = self._node, self._inbox
        if self._is_working or self._is_saving or node is None:
            return
        self._is_working = True
        while True:
            while inbox:
                if not self._machine.turn():
                    return
                self.handled += 1
                node.handle(inbox.popleft())
            again_s = node.settle()
            if self._persisting > self._durable:
                self._is_saving, self._is_working = True, False
                self._machine.spawn(node.save(), partial(self._saved_up_to, self._persisting))
                return
            if not inbox:
                break
        self._is_working = False
        if again_s is not None:
            self._set_alarm(again_s)

    def _saved_up_to(self, n: int, _: object, error: Exception | None) -> None:
        if error is not None:
            self._machine.fail(error)
            return
        node = self._node
        assert node is not None
        self.syncs += 1
        self._is_saving, self._durable = False, n
        self.trace(lambda *me: persisted_event(n, *me))
        held, self._held = self._held, type(self._held)()
        for effect in held:
            node.carry_out(effect)
        self._fire_due()
        self._work()

    def _set_alarm(self, due_s: float) -> None:
        at_ns = self._clock.true_ns(due_s)
        if at_ns < self._alarm_ns:
            self._alarm_ns, self._alarm_s = at_ns, due_s
            self._machine.call_at(at_ns, partial(self._ring, at_ns))

    def _ring(self, at_ns: int) -> None:
        # Most timers are set again before they fire, so an alarm mostly finds that nothing is due yet.
        if at_ns != self._alarm_ns:
            return
        self._alarm_ns = self._alarm_s = math.inf
        self._fire_due()
        if self._deadlines:
            self._set_alarm(min(self._deadlines.values()))
        self._work()

    def _fire_due(self) -> None:
        now_s = self._clock.current_time()
        for timer in [timer for timer, due_s in self._deadlines.items() if due_s <= now_s]:
            del self._deadlines[timer]
            self._inbox.append(TimerFired(cast(Any, timer)))
