"""Which trace events led to which: the choice of the few dozen that tell the story of a witness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.history import Event, Trace

Key = tuple[str, int, int]

_GATHERED = {"propose_sent": "promise_sent", "learned": "accept_sent"}
"""Events that take several messages, of which `cause` names but the last."""

_ASIDE = frozenset({"persisted", "applied"})
"""Events that fill a drawing and seldom matter."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was seen to arrive: what was sent, and what that made its receiver do."""

    sent: Event
    received: Event


def key(event: Event) -> Key:
    """What tells an event from all others."""
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
    for at in _nearby(ordered, roots):
        if len(chosen) >= limit:
            break
        chosen[at] = None
    return tuple(ordered[at] for at in sorted(chosen))


def _ancestors(ordered: Sequence[Event], roots: Sequence[int]) -> Iterator[int]:
    """Whatever led to the roots, nearest first."""
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
    if event.cause is not None and event.cause in sent_at:
        yield sent_at[event.cause]
    kind = _GATHERED.get(event.event)
    if kind is None:
        return
    for slot in dict.fromkeys((event.slot, None)):
        for earlier in gathered.get((kind, slot, event.ballot), ()):
            to = ordered[earlier].to
            if earlier < at and (not to or event.node in to):
                yield earlier


def _nearby(ordered: Sequence[Event], roots: Sequence[int]) -> Iterator[int]:
    """Restarts first, since they explain so much, then the rest by its distance from the roots."""
    if not roots:
        return
    first, last = min(roots), max(roots)
    yield from (at for at in range(first, last) if ordered[at].event == "restart")
    slots = {ordered[at].slot for at in roots} | {None}
    distance = range(len(ordered)) if len(ordered) < 5_000 else range(max(0, first - 2_500), first + 2_500)
    near = [at for at in distance if at < len(ordered) and ordered[at].event not in _ASIDE]
    yield from sorted(
        (at for at in near if ordered[at].slot in slots), key=lambda at: min(abs(at - root) for root in roots)
    )
