"""Faults that wait for a moment: such a fault begins when a node reports a certain event.

Whether a crash does harm depends mostly on when it happens: between a promise and the accept that breaks it,
during a snapshot, or while two nodes believe that they lead. Such a moment is a predicate over the events
that nodes report. A plan names the moment (`Fault.when`). From `at_ms` on the fault waits, and it begins
right after the event. If the moment does not come, the fault has no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from msgspec.structs import replace

from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext
from ostrakon.harness.faults.kind import Aim
from ostrakon.harness.history import Event
from ostrakon.harness.plan import Fault

Moment = Callable[[Event, Sequence[Event]], bool]
"""Given an event that was just reported, and all events so far with that one as the last: whether it is the
moment. It must not change anything."""

CallIn = Callable[[int, Callable[[], object]], object]
"""Calls a function after so many nanoseconds of true time, outside of every program."""

OF_EVENT = ("receiver", "others", "said", "heard")
"""Targets of a waiting fault in addition to those of its workload: the nodes that the event's message was
sent to, all nodes but the one that reported the event, and the links from and to that node. Without a
target, or without a message, the fault strikes the node that reported the event."""


def reported(*kinds: str) -> Moment:
    """The moment at which a node reports an event of one of these kinds."""
    return lambda event, events: event.event in kinds


def reported_by_another(kind: str) -> Moment:
    """The moment at which a node reports such an event and another node reported the last one: for
    instance two leaders, of which the first may not know of the second."""

    def moment(event: Event, events: Sequence[Event]) -> bool:
        if event.event != kind:
            return False
        earlier = (each for each in reversed(events[:-1]) if each.event == kind)
        return next((each.node != event.node for each in earlier), False)

    return moment


def reported_soon_after(kind: str, earlier: str, within_ms: float) -> Moment:
    """The moment at which a node reports an event of one kind, soon after its last event of another kind."""

    def moment(event: Event, events: Sequence[Event]) -> bool:
        if event.event != kind:
            return False
        for each in reversed(events[:-1]):
            if event.time - each.time > within_ms * 1e6:
                return False
            if each.node == event.node and each.event == earlier:
                return True
        return False

    return moment


class Moments:
    """The events of a trial, and the faults that wait for one of them."""

    def __init__(self, moments: Mapping[str, Moment], call_in: CallIn) -> None:
        self.call_in = call_in
        self.events: list[Event] = _Watched(self._note)
        """All events so far. The waiting faults see each event that is appended."""
        self._moments = moments
        self._waiting: list[_Waiting] = []

    def wait(self, fault: Fault, begin: Callable[[Event], FaultContext]) -> FaultContext:
        """A fault that begins when its moment comes; `begin` makes the fault from the event."""
        return _waiting(self._waiting, _Waiting(fault, self._moments[fault.when], begin, self.call_in))

    def _note(self, event: Event) -> None:
        for waiting in self._waiting:
            waiting.note(event, self.events)


class _Watched(list[Event]):
    """A list that reports each appended element."""

    def __init__(self, note: Callable[[Event], object]) -> None:
        super().__init__()
        self._note = note

    def append(self, event: Event) -> None:
        super().append(event)
        self._note(event)


class _Waiting:
    """One fault that waits, or has begun."""

    def __init__(
        self, fault: Fault, moment: Moment, begin: Callable[[Event], FaultContext], call_in: CallIn
    ) -> None:
        self._fault, self._moment, self._begin, self._call_in = fault, moment, begin, call_in
        self._left = fault.passed
        self._is_over = self._has_come = False
        self._open: FaultContext | None = None
        self._active: ActiveFault | None = None

    def note(self, event: Event, events: Sequence[Event]) -> None:
        """A node has reported an event."""
        if self._has_come or not self._moment(event, events):
            return
        if self._left:
            self._left -= 1
            return
        self._has_come = True
        # Not at once: the program that reports the event is in the middle of what it does.
        self._call_in(0, lambda: self._strike(event))

    def end(self) -> None:
        """The fault is over, whether or not it has begun."""
        self._is_over = True
        if (context := self._open) is not None:
            self._open = None
            context.__exit__(None, None, None)

    def effect(self) -> Effect:
        """What it has done so far."""
        return self._active.effect() if self._active is not None else Effect()

    def why_inert(self) -> str:
        """Why it has done nothing."""
        if self._active is not None:
            return self._active.why_inert()
        return f"the moment `{self._fault.when}` did not come often enough"

    def _strike(self, event: Event) -> None:
        if self._is_over:
            return
        context = self._begin(event)
        self._active, self._open = context.__enter__(), context
        if self._fault.lasts_ms:
            self._call_in(self._fault.lasts_ms * 1_000_000, self.end)


@contextmanager
def _waiting(all_waiting: list[_Waiting], one: _Waiting) -> Iterator[ActiveFault]:
    with ExitStack() as undo:
        all_waiting.append(one)
        undo.callback(all_waiting.remove, one)
        undo.callback(one.end)
        yield ActiveFault(one.effect, one.why_inert)


def aimed(fault: Fault, event: Event, nodes: Sequence[str], aim: Aim) -> Fault:
    """The fault with the nodes of an event, by a target of `OF_EVENT` or none; `aim` is the `aim` of its
    kind."""
    others = [node for node in nodes if node != event.node]
    match fault.target:
        case "said":
            return replace(fault, links=tuple((event.node, other) for other in others))
        case "heard":
            return replace(fault, links=tuple((other, event.node) for other in others))
        case "receiver" if event.to:
            return aim(fault, [node for node in others if node in (event.to or ())], nodes)
        case "others":
            return aim(fault, others, nodes)
    return aim(fault, [event.node], nodes)


@contextmanager
def idle(why: str) -> Iterator[ActiveFault]:
    """A fault without effect, for this reason."""
    yield ActiveFault(Effect, lambda: why)
