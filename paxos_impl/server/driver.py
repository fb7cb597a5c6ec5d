"""The driver of a node: it waits for events, and has the node handle them and the disk save the results.

One task steps the core. Events that arrive while the disk writes are handled together and made durable by one
sync. An effect that rests on a write is carried out only after that write is durable (PMS 2.5).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

import trio

from ostrakon.paxos_impl.core import TraceEvent, persisted_event
from ostrakon.paxos_impl.server.link import Link
from ostrakon.paxos_impl.wire.decree import Envelope, EnvelopeHeader, framed
from ostrakon.paxos_impl.wire.frame import PEER_FRAME_MAX

Tracer = Callable[[TraceEvent], None]
"""Takes every protocol event at the moment it becomes observable to other servers."""

BACKLOG_MAX = 10_000
"""Maximum number of unhandled events; beyond it messages are dropped and clients refused."""
PENDING_BYTES_MAX = 64 << 20
"""Maximum length of all requests in progress, in bytes; beyond it clients are refused."""

_Event = TypeVar("_Event")
_Event_in = TypeVar("_Event_in", contravariant=True)
_Effect = TypeVar("_Effect")
_Effect_in = TypeVar("_Effect_in", contravariant=True)


class DrivenNode(Protocol[_Event_in, _Effect_in]):
    """Steps a core and carries out its effects."""

    def handle(self, event: _Event_in) -> None:
        """Step the core with an event, and see to each effect, in order."""

    def settle(self) -> float | None:
        """Called when all events that had arrived are handled, for what is done once for all of them.

        Returns by when it is to be called again even if nothing arrives; None if it need not be.
        """

    async def save(self) -> None:
        """Make durable all that `handle` wants to persist.

        Raises: StorageFailed.
        """

    def carry_out(self, effect: _Effect_in) -> None:
        """Do what an effect says, now that the writes that it rests on are durable."""


class EventMakers(NamedTuple, Generic[_Event]):
    """How a node's core calls what happens to it."""

    received: Callable[[Any, int, str], _Event]
    """Makes an event from a message, its sender and its id."""
    fired: Callable[[Any], _Event]
    """Makes an event from a timer's name."""


class Driver(Generic[_Event, _Effect]):
    """Queues the events of one node, holds effects until they may leave, and keeps timers.

    A driver is made before its node, which is given to `run`.
    """

    def __init__(
        self,
        server_id: int,
        incarnation: int,
        links: Mapping[int, Link],
        header: EnvelopeHeader,
        tracer: Tracer | None,
        events: EventMakers[_Event],
    ) -> None:
        self._links, self._header = links, header
        self._me, self._incarnation = server_id, incarnation
        self._tracer, self._traced = tracer, 0
        self._received, self._fired = events
        self._inbox: deque[_Event] = deque()
        self._arrived: trio.Event | None = None
        self._deadlines: dict[str, float] = {}
        self._persisting = self._durable = 0
        self._held: deque[_Effect] = deque()
        self._clients: dict[int, Callable[[Any], None]] = {}
        self._sizes: dict[int, int] = {}
        self._pending_bytes = 0
        self.requests = self.handled = self.dropped = self.syncs = 0
        """Number of submitted requests, of handled events, of messages dropped under overload, of syncs."""
        self.syncing_s = 0.0
        """Time spent in syncs, in seconds."""

    async def run(self, node: DrivenNode[_Event, _Effect]) -> NoReturn:
        """Handle events for ever.

        Raises: StorageFailed.
        """
        inbox = self._inbox
        while True:
            self._fire_timers()
            while inbox:
                self.handled += 1
                node.handle(inbox.popleft())
            again_s = node.settle()
            if self._persisting > self._durable:
                await self._save(node)
            if not inbox:
                await self._wait(math.inf if again_s is None else again_s)

    # Input.

    def submit(self, event: _Event) -> None:
        """Queue an event."""
        self._inbox.append(event)
        if (arrived := self._arrived) is not None:
            self._arrived = None
            arrived.set()

    def receive(self, message: Any, sender: int, id: str) -> None:
        """Queue the event that a message arrived; under overload, drop the message."""
        if len(self._inbox) >= BACKLOG_MAX:
            self.dropped += 1
        else:
            self.submit(self._received(message, sender, id))

    def ask(self, event: Callable[[int], _Event], answer: Callable[[Any], None], size: int = 0) -> int:
        """Queue a request, which `event` makes from its number; `answer` is called with the outcome.

        `size` is its length in bytes.
        """
        self.requests += 1
        if size:
            self._sizes[self.requests] = size
            self._pending_bytes += size
        self._clients[self.requests] = answer
        self.submit(event(self.requests))
        return self.requests

    def forget(self, request: int) -> None:
        """Drop the answer to this request, because its client is gone."""
        self._clients.pop(request, None)
        self._pending_bytes -= self._sizes.pop(request, 0)

    @property
    def backlog(self) -> int:
        """Number of events that are not handled yet."""
        return len(self._inbox)

    @property
    def is_overloaded(self) -> bool:
        """Whether no further request should be submitted."""
        return len(self._inbox) >= BACKLOG_MAX or self._pending_bytes >= PENDING_BYTES_MAX

    # Output.

    def persist(self, n: int) -> None:
        """Have the node save before any effect is carried out that rests on write number `n`, or less."""
        self._persisting = n

    def hold(self, n: int | None, effect: _Effect) -> bool:
        """Hold an effect until write number `n` is durable; False, if that is so already."""
        if n is None or n <= self._durable:
            return False
        self._held.append(effect)
        return True

    def set_timer(self, timer: str, delay_s: float) -> None:
        """Let a timer fire after a delay, instead of when it was set to before."""
        self._deadlines[timer] = trio.current_time() + delay_s

    def send(self, to: tuple[int, ...], message: Any, id: str) -> None:
        """Send a message over the links; a message to this server itself arrives like any other."""
        frame = b""
        for peer in to:
            if peer == self._me:
                self._inbox.append(self._received(message, self._me, id))
            else:
                frame = frame or framed(Envelope(id, message, *self._header), PEER_FRAME_MAX)
                if (link := self._links.get(peer)) is not None:  # Without a link its address is unknown.
                    link.send(frame)

    def answer(self, request: int, outcome: Any) -> None:
        """Answer a request, if its client still waits."""
        if (give := self._clients.pop(request, None)) is not None:
            self._pending_bytes -= self._sizes.pop(request, 0)
            give(outcome)

    @property
    def is_traced(self) -> bool:
        """Whether there is a tracer."""
        return self._tracer is not None

    def trace(self, event: Callable[[int, int, int], TraceEvent | None]) -> None:
        """Trace a protocol event, if there is a tracer; `event` makes it from server, incarnation and
        number."""
        if self._tracer is not None:
            traced = event(self._me, self._incarnation, self._traced)
            if traced is not None:
                self._traced += 1
                self._tracer(traced)

    async def _save(self, node: DrivenNode[_Event, _Effect]) -> None:
        """Make all that was persisted so far durable; then carry out the effects that were held for it."""
        n = self._persisting
        begun_s = trio.current_time()
        await node.save()
        self.syncing_s += trio.current_time() - begun_s
        self.syncs += 1
        self._durable = n
        self.trace(lambda *me: persisted_event(n, *me))
        held, self._held = self._held, deque()
        for effect in held:
            node.carry_out(effect)

    def _fire_timers(self) -> None:
        now = trio.current_time()
        for timer in [timer for timer, due in self._deadlines.items() if due <= now]:
            del self._deadlines[timer]
            self._inbox.append(self._fired(timer))

    async def _wait(self, until_s: float) -> None:
        """Return when there is an event, when a timer is due, or at this time."""
        self._arrived = arrived = trio.Event()
        with trio.move_on_at(min(until_s, *self._deadlines.values(), math.inf)):
            await arrived.wait()
        self._arrived = None
