"""A trace event or an op in a few words, the most telling first."""

from __future__ import annotations

from typing import Literal

from ostrakon.harness.history import Event, Op
from ostrakon.reports import texts

Phase = Literal["first", "second", "other"]

_FIRST = frozenset({"prepare_sent", "promise_sent", "nack_sent"})
_SECOND = frozenset({"propose_sent", "accept_sent"})


def verb(event: Event) -> str:
    """What it is called, without the fact that it was sent."""
    return event.event.removesuffix("_sent").replace("_", " ")


def words(event: Event, limit: int = 60) -> str:
    """An event in a few words, the most telling first."""
    value = "" if event.value is None else texts.value(event.value, limit)
    number = texts.ballot(event.ballot)
    slot = f" [{event.slot}]" if event.slot else ""
    told = ", ".join(f"{texts.ballot(b)}={texts.value(v, limit)}" for _, b, v in event.accepted)
    match event.event:
        case "promise_sent":
            return f"promise {number}{slot}, {f'had {told}' if told else 'free'}"
        case "nack_sent":
            return f"nack {number}{slot}, promised {texts.ballot(event.promised)}"
        case "restart":
            held = [f"promised {texts.ballot(event.promised)}"] if event.promised else []
            begun = f"restart #{event.incarnation}" if event.incarnation else "start"
            return ", ".join([begun, *held, *([f"had {told}"] if told else [])])
        case "learned":
            return f"learned {value}{slot}" + (", was told" if event.how == "told" else "")
        case "config_active":
            return f"config {' '.join(event.members)}"
        case _:
            return " ".join(word for word in (texts.short(verb(event), 40), number + slot, value) if word)


def said(op: Op, limit: int = 60) -> str:
    """An op: who, how far, what."""
    value = "" if op.value is None else texts.value(op.value, limit)
    return f"{op.process} {op.type} {texts.short(op.f, 20)} {value}".rstrip()


def where(what: Event | Op) -> str:
    """Where to find it, and who else was concerned."""
    match what:
        case Event():
            again = f", incarnation {what.incarnation}" if what.incarnation else ""
            return f" on {what.node}{again}, event {what.seq}" + (
                f", to {' '.join(what.to)}" if what.to else ""
            )
        case Op():
            return f", op {what.index}" + (f", node {what.node}" if what.node else "")


def phase(event: Event) -> Phase:
    """The phase of the protocol that an event belongs to."""
    if event.event in _FIRST:
        return "first"
    return "second" if event.event in _SECOND else "other"


def label(op: Op, done: Op | None) -> str:
    """An op in as few words as a bar has room for."""
    told = done.value if done is not None and done.type == "ok" else None
    what = told if told is not None and op.value is None else op.value
    arrow = f" → {_bare(told)}" if told is not None and op.value is not None and told != op.value else ""
    return f"{op.f} {_bare(what)}{arrow}".rstrip() if what is not None else op.f


def _bare(value: object) -> str:
    return texts.short(value, 40) if isinstance(value, str) else texts.value(value, 40)


def describe(op: Op, done: Op | None) -> str:
    """All there is to know of an op, for the pointer that rests on it."""
    at = f" at {op.node}" if op.node else ""
    lines = [
        f"process {op.process}: {texts.short(op.f, 60)} {texts.value(op.value)}{at}",
        f"invoked at {texts.instant(op.time)} s (op {op.index})",
    ]
    if done is None:
        return "\n".join([*lines, "nothing was heard of it again: it may take effect at any time"])
    took = texts.duration(done.time - op.time)
    lines.append(f"{done.type} after {took}: {texts.value(done.value)} (op {done.index})")
    if done.node and done.node != op.node:
        lines.append(f"answered by {done.node}")
    if done.error is not None:
        lines.append(texts.sentence(done.error, 200))
    return "\n".join(lines)
