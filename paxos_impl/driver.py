"""The driver of a node: all of the waiting and none of the thinking, whatever is decided there.

One task steps the core. Whatever came in while it was writing to disk is handled together and made durable
by one sync; only then does what rests on that leave (PMS 2.5).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import trio

from ostrakon.paxos_impl.core import TraceEvent, persisted_event
from ostrakon.paxos_impl.link import Link
from ostrakon.paxos_impl.wire import Envelope, Postmark, framed

Tracer = Callable[[TraceEvent], None]
"""Is handed every protocol event at the moment it becomes observable."""

BACKLOG_MAX = 10_000
"""How many unhandled events there may be before messages are dropped and clients refused."""

_Event = TypeVar("_Event")
_Effect = TypeVar("_Effect")
_Effect_in = TypeVar("_Effect_in", contravariant=True)


class Driven(Protocol[_Event, _Effect_in]):
    """What is driven: it steps a core, and knows what the effects of that mean."""

    def received(self, message: Any, sender: int, id: str) -> _Event:
        """The event that a message arrived."""

    def fired(self, timer: Any) -> _Event:
        """The event that a timer ran out."""

    def handle(self, event: _Event) -> None:
        """Step the core, and see to each effect of that, in order."""

    def settle(self) -> None:
        """All that had come in is handled; do what is done once for all of it."""

    async def save(self) -> None:
        """Make durable all that was handed to it by `handle`.

        Raises: StorageFailed.
        """

    def carry_out(self, effect: _Effect_in) -> None:
        """Do what an effect says, now that what it rests on is durable."""


class Driver(Generic[_Event, _Effect]):
    """Takes the events of one server, has effects wait for what they rest on, and keeps timers."""

    def __init__(
        self,
        driven: Driven[_Event, _Effect],
        server_id: int,
        incarnation: int,
        links: Mapping[int, Link],
        postmark: Postmark,
        tracer: Tracer | None,
    ) -> None:
        self._driven, self._links, self._postmark = driven, links, postmark
        self._me, self._incarnation = server_id, incarnation
        self._tracer, self._traced = tracer, 0
        self._inbox: deque[_Event] = deque()
        self._arrived: trio.Event | None = None
        self._deadlines: dict[str, float] = {}
        self._persisting = self._durable = 0
        self._held: deque[_Effect] = deque()
        self._clients: dict[int, Callable[[Any], None]] = {}
        self.requests = self.handled = self.dropped = self.syncs = 0
        """How many requests were taken up, events handled, messages of others dropped because there was too
        much to do, and syncs done."""
        self.syncing_s = 0.0
        """How long those took in all."""

    async def run(self) -> NoReturn:
        """Handle events for ever.

        Raises: StorageFailed.
        """
        driven, inbox = self._driven, self._inbox
        while True:
            self._fire_timers()
            while inbox:
                self.handled += 1
                driven.handle(inbox.popleft())
            driven.settle()
            if self._persisting > self._durable:
                await self._save()
            if not inbox:
                await self._wait()

    # What happens.

    def submit(self, event: _Event) -> None:
        """Have an event handled, in its turn."""
        self._inbox.append(event)
        if (arrived := self._arrived) is not None:
            self._arrived = None
            arrived.set()

    def receive(self, message: Any, sender: int, id: str) -> None:
        """A message arrived; it is dropped if there is too much to do already."""
        if self.is_overloaded:
            self.dropped += 1
        else:
            self.submit(self._driven.received(message, sender, id))

    def ask(self, event: Callable[[int], _Event], answer: Callable[[Any], None]) -> int:
        """Submit a client's request, made by `event` from its number; `answer` is called with the outcome."""
        self.requests += 1
        self._clients[self.requests] = answer
        self.submit(event(self.requests))
        return self.requests

    def forget(self, request: int) -> None:
        """Nobody waits for the answer to this request any more."""
        self._clients.pop(request, None)

    @property
    def backlog(self) -> int:
        """How many events have not been handled yet."""
        return len(self._inbox)

    @property
    def is_overloaded(self) -> bool:
        """Whether nothing more should be begun."""
        return len(self._inbox) >= BACKLOG_MAX

    # What is to be done.

    def persist(self, n: int) -> None:
        """Have `Driven.save` called before anything is carried out that waits for number `n`, or less."""
        self._persisting = n

    def once_durable(self, n: int | None, effect: _Effect) -> None:
        """Have an effect carried out when number `n`, and all before it, are durable: now, if they are."""
        if n is not None and n > self._durable:
            self._held.append(effect)
        else:
            self._driven.carry_out(effect)

    def set_timer(self, timer: str, delay_s: float) -> None:
        """Have a timer fire after a while; an earlier setting of it is void."""
        self._deadlines[timer] = trio.current_time() + delay_s

    def send(self, to: tuple[int, ...], message: Any, id: str) -> None:
        """Hand a message to the links; one to oneself comes in like any other."""
        frame = b""
        for peer in to:
            if peer == self._me:
                self._inbox.append(self._driven.received(message, self._me, id))
            else:
                frame = frame or framed(Envelope(id, message, *self._postmark))
                if (link := self._links.get(peer)) is not None:  # Or else nobody knows where it is.
                    link.send(frame)

    def answer(self, request: int, outcome: Any) -> None:
        """Answer a client, if it still waits."""
        if (give := self._clients.pop(request, None)) is not None:
            give(outcome)

    @property
    def is_traced(self) -> bool:
        """Whether anybody listens to what is traced."""
        return self._tracer is not None

    def trace(self, event: Callable[[int, int, int], TraceEvent | None]) -> None:
        """Have a protocol event traced, if anybody listens; `event` is given server, life and number."""
        if self._tracer is not None:
            traced = event(self._me, self._incarnation, self._traced)
            if traced is not None:
                self._traced += 1
                self._tracer(traced)

    async def _save(self) -> None:
        """Make all that was persisted so far durable; then let go what waited for it."""
        n = self._persisting
        begun_s = trio.current_time()
        await self._driven.save()
        self.syncing_s += trio.current_time() - begun_s
        self.syncs += 1
        self._durable = n
        self.trace(lambda *me: persisted_event(n, *me))
        held, self._held = self._held, deque()
        for effect in held:
            self._driven.carry_out(effect)

    def _fire_timers(self) -> None:
        now = trio.current_time()
        for timer in [timer for timer, due in self._deadlines.items() if due <= now]:
            del self._deadlines[timer]
            self._inbox.append(self._driven.fired(timer))

    async def _wait(self) -> None:
        """Return when there is an event, or a timer is due."""
        self._arrived = arrived = trio.Event()
        with trio.move_on_at(min(self._deadlines.values(), default=math.inf)):
            await arrived.wait()
        self._arrived = None
