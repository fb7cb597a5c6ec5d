"""A trace event or an op in a few words, the most telling first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ostrakon.harness.history import Event, Op
from ostrakon.reports import texts

Phase = Literal["first", "second", "other"]

_FIRST = frozenset({"prepare_sent", "promise_sent", "nack_sent"})
_SECOND = frozenset({"propose_sent", "accept_sent"})


def verb(event: Event) -> str:
    """The name of an event without its ending `_sent`."""
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
            parts = (texts.short(verb(event), 40), number + slot, value, _noted(event))
            return " ".join(filter(None, parts))


def _noted(event: Event) -> str:
    """The fields of a program's own note, `term=3`; a protocol's events say enough by their other fields."""
    is_note = event.ballot is None and event.slot is None and isinstance(event.detail, Mapping)
    fields = event.detail.items() if is_note else ()
    return texts.short(" ".join(f"{name}={bare(value)}" for name, value in fields), 60)


def said(op: Op, limit: int = 60) -> str:
    """An op in a few words: its process, type, `f` and value."""
    value = "" if op.value is None else texts.value(op.value, limit)
    return f"{op.process} {op.type} {texts.short(op.f, 20)} {value}".rstrip()


def where(what: Event | Op) -> str:
    """The node and the number of an event or op, and the receivers of a message."""
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
    """An op in as few words as a bar has room for: `write 1`, `read 1`, `read x → 1`, `read nil`."""
    asked, told = question(op, done), answer(op, done)
    return " ".join(filter(None, (op.f, asked, "→" if asked and told else "", told)))


def question(op: Op, done: Op | None, limit: int = 40) -> str:
    """What an op was about; empty if its `f`, or what it answered, says it all.

    Of a read of `[key, nil]` it is the key; the answer of a transaction that committed repeats its steps.
    """
    if is_transaction(op.value):
        return (
            ""
            if done is not None and done.type == "ok"
            else texts.short(steps(op.value, is_done=False), limit)
        )
    if _reads_key(op):
        return bare(op.value[0], limit)
    return "" if op.value is None else bare(op.value, limit)


def answer(op: Op, done: Op | None, limit: int = 40) -> str:
    """What an op that was ok answered, if that is more than what was asked; what read nothing read `nil`."""
    if done is None or done.type != "ok":
        return ""
    if is_transaction(done.value):
        return texts.short(steps(done.value, is_done=True), limit)
    if _reads_key(op) and isinstance(done.value, list | tuple) and len(done.value) == 2:
        return bare(done.value[1], limit)
    if done.value == op.value and op.value is not None:
        return ""
    if done.value is None and op.f not in _READS:
        return ""
    return bare(done.value, limit)


def is_transaction(value: Any) -> bool:
    """Whether a value is a list of steps `[f, key, value]`, as those of transactions are."""
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_step, value))


def _is_step(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[0], str)


def steps(transaction: Any, *, is_done: bool) -> str:
    """A transaction as its steps: `append x 1, r y [1,2]`. Before it is done, it has read nothing: `r y`."""
    return ", ".join(
        " ".join(bare(part, 60) for part in step if is_done or part is not None) for step in transaction
    )


def _reads_key(op: Op) -> bool:
    value = op.value
    return op.f in _READS and isinstance(value, list | tuple) and len(value) == 2 and value[1] is None


_READS = frozenset({"read", "get", "r", "peek", "dequeue", "pop", "poll"})
"""Ops for which no value is an answer: there was nothing."""


def bare(value: object, limit: int = 40) -> str:
    """A value with no quotes around text, and `nil` for none."""
    if value is None:
        return "nil"
    return (
        texts.short(value, limit) if isinstance(value, str) else texts.short(texts.value(value, 400), limit)
    )


def describe(op: Op, done: Op | None) -> str:
    """Everything that is known of an op, for its tooltip."""
    at = f" at {op.node}" if op.node else ""
    asked = " ".join(filter(None, (texts.short(op.f, 60), question(op, done, 120))))
    lines = [
        f"process {op.process}: {asked}{at}",
        f"invoked at {texts.instant(op.time)} s (op {op.index})",
    ]
    if done is None:
        return "\n".join([*lines, "nothing was heard of it again: it may take effect at any time"])
    took = texts.duration(done.time - op.time)
    told = answer(op, done, 120)
    lines.append(f"{done.type} after {took}{f': {told}' if told else ''} (op {done.index})")
    if done.node and done.node != op.node:
        lines.append(f"answered by {done.node}")
    if done.error is not None:
        lines.append(texts.sentence(done.error, 200))
    return "\n".join(lines)
