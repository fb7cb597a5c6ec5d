"""Causes among trace events, and the choice of the few dozen events that explain a witness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ostrakon.harness.history import Event, Trace
from ostrakon.harness.history.message import Message as NetworkMessage
from ostrakon.reports.event_text import verb

Key = tuple[str, int, int]

GATHERED = {"propose_sent": "promise_sent", "learned": "accept_sent"}
"""Events that need several messages; `cause` names only the last of them."""

_DEMANDING = frozenset({"prepare_sent", "propose_sent"})
"""Messages after which each receiver reports an event: a promise, a vote or a nack."""

ENOUGH = 16
"""Number of events up to which nearby events are added."""

_REACH = 50
_ASIDE = frozenset({"persisted", "applied", "lease_read"})
"""Events that are frequent and seldom matter."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message that arrived: the event that sent it, and the event of its receiver that it caused."""

    sent: Event
    received: Event


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A message that should have caused an event of each receiver, and the receivers that reported none."""

    sent: Event
    to: tuple[str, ...]


def key(event: Event) -> Key:
    """The identity of an event."""
    return event.node, event.incarnation, event.seq


def senders(trace: Iterable[Event]) -> dict[str, Event]:
    """The event that sent each message."""
    return {event.message: event for event in trace if event.message is not None}


def messages(events: Iterable[Event], sent_by: dict[str, Event]) -> Iterator[Message]:
    """The messages that caused some of these events, without those a node sent itself."""
    for event in events:
        sent = sent_by.get(event.cause) if event.cause is not None else None
        if sent is not None and sent.node != event.node:
            yield Message(sent, event)


def as_messages(trace: Trace) -> list[NetworkMessage]:
    """The messages that the events of a trace name, for drawings that know nothing of the protocol.

    One that nobody answered to counts as lost if it demands something; of others nothing is known.
    """
    sent_by = senders(trace)
    made = [
        NetworkMessage(sent.node, received.node, sent.time, max(sent.time, received.time), None, verb(sent))
        for sent, received in ((one.sent, one.received) for one in messages(trace, sent_by))
    ]
    made += [
        NetworkMessage(lost.sent.node, to, lost.sent.time, None, None, verb(lost.sent))
        for lost in unanswered([event for event in trace if event.event in _DEMANDING], trace)
        for to in lost.to
    ]
    return sorted(made, key=lambda message: message.sent)


def unanswered(events: Sequence[Event], trace: Trace) -> list[Unanswered]:
    """The messages of these events that no arrow shows."""
    drawn = {(event.cause, event.node) for event in events if event.cause is not None}
    effective = {(event.cause, event.node) for event in trace if event.cause is not None}
    found = []
    for event in events:
        to = [name for name in event.to if name != event.node and (event.message, name) not in drawn]
        lost = tuple(name for name in to if (event.message, name) not in effective)
        if event.message is not None and event.event in _DEMANDING and lost:
            found.append(Unanswered(event, lost))
    return found


def gathered(events: Sequence[Event], arrows: Sequence[Message]) -> Iterator[Message]:
    """Promises and votes that may have been counted: the trace names only the last one of each quorum."""
    certain = {(key(arrow.sent), key(arrow.received)) for arrow in arrows}
    for received in events:
        wanted = GATHERED.get(received.event)
        for sent in events:
            if (
                sent.event == wanted
                and sent.ballot == received.ballot
                and sent.time <= received.time
                and sent.node != received.node
                and received.node in sent.to
                and (received.slot in (None, sent.slot) or sent.slot is None)
                and (key(sent), key(received)) not in certain
            ):
                yield Message(sent, received)


def story(trace: Trace, witness: Sequence[Event], limit: int) -> tuple[Event, ...]:
    """The witness, what led to it, and what else was going on nearby, in order of time.

    Without a witness: what led to the first value that was learned, else how the run began.
    """
    ordered = sorted(trace, key=lambda event: event.time)
    marked = {key(event) for event in witness}
    roots = [at for at, event in enumerate(ordered) if key(event) in marked]
    if not roots:
        roots = [at for at, event in enumerate(ordered) if event.event == "learned"][:1] or [0][
            : len(ordered)
        ]
    chosen = dict.fromkeys(roots[:limit])
    for at in _ancestors(ordered, roots):
        if len(chosen) >= limit:
            break
        chosen[at] = None
    chosen.update(dict.fromkeys(_restarts_between(ordered, roots)))
    for at in _nearby(ordered, roots):
        if len(chosen) >= min(limit, ENOUGH):
            break
        chosen[at] = None
    return tuple(ordered[at] for at in sorted(chosen))


def _ancestors(ordered: Sequence[Event], roots: Sequence[int]) -> Iterator[int]:
    """The causes of the roots, nearest first."""
    sent_at = {event.message: at for at, event in enumerate(ordered) if event.message is not None}
    gathered: dict[tuple[str, int | None, tuple[int, int] | None], list[int]] = {}
    for at, event in enumerate(ordered):
        gathered.setdefault((event.event, event.slot, event.ballot), []).append(at)
    seen, wave = set(roots), list(roots)
    while wave:
        reached: list[int] = []
        for at in wave:
            for earlier in _causes(ordered, at, sent_at, gathered):
                if earlier not in seen:
                    seen.add(earlier)
                    reached.append(earlier)
        yield from reached
        wave = reached


def _causes(
    ordered: Sequence[Event],
    at: int,
    sent_at: dict[str, int],
    gathered: dict[tuple[str, int | None, tuple[int, int] | None], list[int]],
) -> Iterator[int]:
    event = ordered[at]
    if event.event == "prepare_sent":
        # A ballot is a fresh start: what came of those before it reaches it through promises only.
        return
    if event.cause is not None and event.cause in sent_at:
        yield sent_at[event.cause]
    kind = GATHERED.get(event.event)
    if kind is None:
        return
    for slot in dict.fromkeys((event.slot, None)):
        for earlier in gathered.get((kind, slot, event.ballot), ()):
            to = ordered[earlier].to
            if earlier < at and (not to or event.node in to):
                yield earlier


def _restarts_between(ordered: Sequence[Event], roots: Sequence[int]) -> list[int]:
    if not roots:
        return []
    between = range(min(roots), max(roots))
    return [at for at in between if ordered[at].event == "restart" and ordered[at].incarnation]


def _nearby(ordered: Sequence[Event], roots: Sequence[int]) -> list[int]:
    """What else happened in the same slot, the nearest to a root first."""
    slots = {ordered[at].slot for at in roots} | {None}
    reach = {at for root in roots for at in range(max(0, root - _REACH), min(len(ordered), root + _REACH))}
    near = [at for at in reach if ordered[at].slot in slots and not _is_noise(ordered[at])]
    return sorted(near, key=lambda at: (min(abs(at - root) for root in roots), at))


def _is_noise(event: Event) -> bool:
    return event.event in _ASIDE or (event.event == "restart" and event.incarnation == 0)
