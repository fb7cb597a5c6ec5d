"""Logs of messages as Kafka has them: what is sent to a key gets an offset, and polls read in that order.

The anomalies are those of Jepsen's workload for Kafka (`jepsen.tests.kafka`), without its cycles between
transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def kafka(history: History) -> Verdict:
    """Polls read each log in the order of its offsets; no message is lost, doubled, skipped or read twice.

    Ops are `send`, `poll` and `txn`, whose values are lists of micro-ops, `assign` of a list of keys, and
    `crash`, after which a process begins anew. A micro-op `["send", key, message]` ends as
    `["send", key, [offset, message]]`, and `["poll"]` as `["poll", {key: [[offset, message], ...]}]`.
    Messages of a key are unique. Offsets may have gaps.

    - `lost write`: a message that was acknowledged, or seen, has a lower offset than one that was polled, and
      no poll has it. `unseen message`: one that was acknowledged, and that no poll has, although a later
      poll of its key came to the end of the log.
    - `inconsistent offset`: an offset has two messages. `duplicate message`: a message has two offsets.
    - `poll skip`: two polls of a process, one after the other, leave out a message between them.
      `nonmonotonic poll`: the second begins where the first ended, or before. Neither is looked for across an
      `assign` that gave the key up. `internal poll skip` and `internal nonmonotonic poll` are the same within
      one op.
    - `nonmonotonic send` and `internal nonmonotonic send`: of two messages of a process, or of an op, the
      later one has the lower offset.
    - `aborted read`: a message was polled whose `send` failed. `precommitted read`: an op polls what it sends
      itself. `unexpected message`: nobody ever sent it.

    >>> from ostrakon.harness.history import Op
    >>> sent = [Op(0, 0, "invoke", 0, "send", [["send", "k", 7]]),
    ...         Op(1, 1, "ok", 0, "send", [["send", "k", [0, 7]]])]
    >>> polled = [Op(2, 2, "invoke", 0, "poll", [["poll"]]),
    ...           Op(3, 3, "ok", 0, "poll", [["poll", {"k": [[0, 7]]}]])]
    >>> kafka(History([*sent, *polled])).valid
    'valid'
    """
    try:
        steps = [_step(op, history.invocation(op)) for op in history.clients if _counts(op)]
    except _Unfit as unfit:
        return Verdict.unknown(str(unfit))
    acknowledged = sum(len(step.sends) for step in steps if step.op.type == "ok")
    polled = {
        (key, seen.id)
        for step in steps
        for poll in step.polls
        for key, pairs in poll.items()
        for seen in pairs
    }
    if not acknowledged:
        return Verdict.unknown("no send was acknowledged")
    if not any(step.op.type == "ok" and step.polls for step in steps):
        return Verdict.unknown("no poll was answered, so what became of the messages is not known")
    logs = _logs(steps)
    unseen = list(_unseen(steps, polled))
    found = [
        *(anomaly for log in logs.values() for anomaly in _contradictions(log)),
        *_strangers(steps),
        *_lost(steps, logs),
        *unseen,
        *_within(steps, logs),
        *_between(steps, logs),
    ]
    return Verdict.of(found, acknowledged=acknowledged, polled=len(polled), keys=len(logs))


_ASSIGNING = ("assign", "subscribe", "crash")
"""Ops that say which keys a process polls from then on; after a `crash`, none."""


class _Unfit(Exception):
    """The value of an op is not of the form that the checker reads."""


class _Message(NamedTuple):
    """A message of a key, and its offset if that is known."""

    offset: int | None
    value: Any
    id: Key


@dataclass(frozen=True, slots=True)
class _Step:
    """A completed op."""

    op: Op
    asked: Op | None
    sends: list[tuple[str, _Message]]
    polls: list[dict[str, list[_Message]]]

    @property
    def read(self) -> dict[str, list[_Message]]:
        """All messages that the op polled, by key, in its order."""
        found: dict[str, list[_Message]] = {}
        for poll in self.polls:
            for key, messages in poll.items():
                found.setdefault(key, []).extend(messages)
        return found

    @property
    def sent(self) -> dict[str, list[_Message]]:
        """All messages that the op sent, by key, in its order."""
        found: dict[str, list[_Message]] = {}
        for key, message in self.sends:
            found.setdefault(key, []).append(message)
        return found


def _counts(op: Op) -> bool:
    return op.type != "invoke" and op.f in ("send", "poll", "txn", *_ASSIGNING)


def _step(op: Op, asked: Op | None) -> _Step:
    step = _Step(op, asked, [], [])
    if op.f in _ASSIGNING:
        return step
    for micro_op in op.value or ():
        match list(micro_op) if isinstance(micro_op, list | tuple) else micro_op:
            case ["send", key, [offset, value]] if offset is None or type(offset) is int:
                step.sends.append((str(key), _Message(offset, value, canonical(value))))
            case ["send", key, value] if not isinstance(value, list | tuple):
                step.sends.append((str(key), _Message(None, value, canonical(value))))
            case ["poll"] | ["poll", None]:
                continue
            case ["poll", Mapping() as logs]:
                step.polls.append(
                    {str(key): [_pair(op, pair) for pair in pairs] for key, pairs in logs.items()}
                )
            case other:
                raise _Unfit(
                    f"op {op.index} ({op.f}, {op.type}): expected a send or poll of a log, got {other!r:.60}"
                )
    return step


def _pair(op: Op, pair: Any) -> _Message:
    match list(pair) if isinstance(pair, list | tuple) else pair:
        case [offset, value] if offset is None or type(offset) is int:
            return _Message(offset, value, canonical(value))
        case other:
            raise _Unfit(f"op {op.index}: expected an offset and a message, got {other!r:.60}")


@dataclass(slots=True)
class _Log:
    """What is known of one key: the messages at each offset, and the ops that show them."""

    key: str
    at: dict[int, dict[Key, tuple[Any, Op]]] = field(default_factory=dict)
    first: dict[Key, int] = field(default_factory=dict)
    """The place of a message in the order of the log, without its gaps: the first, if it has several."""
    last: dict[Key, int] = field(default_factory=dict)

    def add(self, message: _Message, op: Op) -> None:
        """Note that an op shows this message at its offset."""
        if message.offset is not None:
            self.at.setdefault(message.offset, {}).setdefault(message.id, (message.value, op))

    def number(self) -> None:
        """Number the offsets that are known from 0."""
        for place, offset in enumerate(sorted(self.at)):
            for id in self.at[offset]:
                self.first.setdefault(id, place)
                self.last[id] = place

    def between(self, low: int, high: int) -> list[Any]:
        """The messages of the places between two."""
        offsets = sorted(self.at)
        return [next(iter(self.at[offsets[place]].values()))[0] for place in range(low + 1, high)]


def _logs(steps: Iterable[_Step]) -> dict[str, _Log]:
    """The logs as all polls show them, and those sends that have certainly taken effect."""
    steps = list(steps)
    logs: dict[str, _Log] = {}
    seen = {(key, message.id) for step in steps for key, read in step.read.items() for message in read}
    for step in steps:
        for key, read in step.read.items():
            for message in read:
                logs.setdefault(key, _Log(key)).add(message, step.op)
        if _took_effect(step, seen):
            for key, message in step.sends:
                logs.setdefault(key, _Log(key)).add(message, step.op)
    for log in logs.values():
        log.number()
    return logs


def _took_effect(step: _Step, seen: set[tuple[str, Key]]) -> bool:
    """Whether what the op sent is certainly in the logs: it was acknowledged, or part of it was polled."""
    if step.op.type == "fail":
        return False
    return step.op.type == "ok" or any((key, message.id) in seen for key, message in step.sends)


def _contradictions(log: _Log) -> Iterator[Anomaly]:
    places: dict[Key, list[int]] = {}
    for offset, messages in sorted(log.at.items()):
        for id in messages:
            places.setdefault(id, []).append(offset)
        if len(messages) > 1:
            values = " and ".join(value_text(value) for value, _ in messages.values())
            why = f"offset {offset} of {log.key} has the messages {values}"
            yield Anomaly("inconsistent offset", why, _ordered(op for _, op in messages.values()))
    for id, offsets in places.items():
        if len(offsets) > 1:
            shown = [log.at[offset][id] for offset in offsets]
            listed = ", ".join(map(str, offsets))
            why = f"message {value_text(shown[0][0])} of {log.key} is at the offsets {listed}"
            yield Anomaly("duplicate message", why, _ordered(op for _, op in shown))


def _strangers(steps: list[_Step]) -> Iterator[Anomaly]:
    """Messages that were polled and not sent, or whose send failed, or by the op that sends them."""
    senders = {(key, message.id): step.op for step in steps for key, message in step.sends}
    told: set[tuple[str, Key]] = set()
    for step in steps:
        own = {(key, message.id) for key, message in step.sends}
        for key, read in step.read.items():
            for message in read:
                name, sender = (key, message.id), senders.get((key, message.id))
                if name in told:
                    continue
                shown = f"message {value_text(message.value)} of {key} was polled"
                if name in own:
                    told.add(name)
                    yield Anomaly("precommitted read", f"{shown} by the op that sends it", (step.op,))
                elif sender is None:
                    told.add(name)
                    yield Anomaly("unexpected message", f"{shown}, and nobody sent it", (step.op,))
                elif sender.type == "fail":
                    told.add(name)
                    why = f"{shown}, although sending it had failed"
                    yield Anomaly("aborted read", why, _ordered((sender, step.op)))


def _lost(steps: list[_Step], logs: Mapping[str, _Log]) -> Iterator[Anomaly]:
    read: dict[str, dict[Key, Op]] = {}
    for step in steps:
        if step.op.type == "ok":
            for key, messages in step.read.items():
                for message in messages:
                    read.setdefault(key, {}).setdefault(message.id, step.op)
    senders = {(key, message.id): step for step in steps for key, message in step.sends}
    seen = {(key, id) for key, ids in read.items() for id in ids}
    for key, ids in read.items():
        log = logs[key]
        known = [id for id in ids if id in log.first]
        if not known:
            continue
        furthest = max(known, key=lambda id: log.first[id])
        for id, place in sorted(log.last.items(), key=lambda entry: entry[1]):
            sender = senders.get((key, id))
            if place > log.first[furthest] or id in ids or sender is None or not _took_effect(sender, seen):
                continue
            offset, (value, _) = next((at, found[id]) for at, found in sorted(log.at.items()) if id in found)
            why = (
                f"message {value_text(value)} at offset {offset} of {key} is in no poll, although a poll has "
                "a message behind it"
            )
            yield Anomaly("lost write", why, _ordered((sender.op, read[key][furthest])))


def _unseen(steps: list[_Step], polled: set[tuple[str, Key]]) -> Iterator[Anomaly]:
    """Acknowledged messages that no poll has, although a poll that began later found nothing more to read."""
    sent = [(step.op, key, m) for step in steps if step.op.type == "ok" for key, m in step.sends]
    asked: dict[str, Op] = {}
    assigned: dict[Any, set[str]] = {}
    for step in steps:
        if step.op.f in ("assign", "crash") and step.op.type == "ok":
            assigned[step.op.process] = {str(key) for key in step.op.value or ()}
        elif step.op.type == "ok" and step.polls and step.asked is not None:
            for key in sorted(key for key in assigned.get(step.op.process, ()) if not step.read.get(key)):
                asked[key] = max(asked.get(key, step.asked), step.asked, key=lambda op: op.index)
    for op, key, message in sent:
        if (key, message.id) not in polled and key in asked and asked[key].index > op.index:
            why = (
                f"message {value_text(message.value)} of {key} was acknowledged, and no poll has it: the "
                f"poll of op {asked[key].index}, which began later, came to the end of the log without it"
            )
            yield Anomaly("unseen message", why, (op, asked[key]))


def _within(steps: list[_Step], logs: Mapping[str, _Log]) -> Iterator[Anomaly]:
    """Polls and sends of one op that are out of order."""
    for step in steps:
        for what, messages in (("poll", step.read), ("send", step.sent)):
            for key, of_key in messages.items():
                for one, next_one in pairwise(of_key):
                    yield from _compare(f"internal {{}} {what}", logs.get(key), one, next_one, (step.op,))


def _between(steps: list[_Step], logs: Mapping[str, _Log]) -> Iterator[Anomaly]:
    """Polls and sends of one process, op after op, that are out of order."""
    last: dict[tuple[str, Any], dict[str, tuple[_Message, Op]]] = {}
    for step in steps:
        if step.op.f in _ASSIGNING:
            if step.op.type == "ok":
                kept = {str(key) for key in step.op.value or ()}
                for what in ("poll", "send"):
                    before = last.get((what, step.op.process), {})
                    last[what, step.op.process] = {key: seen for key, seen in before.items() if key in kept}
            continue
        for what, messages in (("poll", step.read), ("send", step.sent)):
            if step.op.type == "fail" or (what == "poll" and step.op.type != "ok"):
                continue
            before = last.setdefault((what, step.op.process), {})
            for key, of_key in messages.items():
                if not of_key:
                    continue
                if key in before:
                    witness = (before[key][1], step.op)
                    yield from _compare(f"{{}} {what}", logs.get(key), before[key][0], of_key[0], witness)
                before[key] = of_key[-1], step.op


def _compare(
    name: str, log: _Log | None, one: _Message, next_one: _Message, witness: tuple[Op, ...]
) -> Iterator[Anomaly]:
    """Whether the second of two messages is the one that comes after the first."""
    if log is None or one.id not in log.first or next_one.id not in log.first:
        return  # An offset is not known, so the order is not.
    low, high = log.first[one.id], log.first[next_one.id]
    shown = f"{value_text(next_one.value)} of {log.key} comes after {value_text(one.value)}"
    if high <= low:
        yield Anomaly(_named(name, "nonmonotonic"), f"{shown}, and its offset is not higher", witness)
    elif high > low + 1 and name.endswith("poll"):
        # Between two sends of a process there may be those of others.
        left_out = ", ".join(value_text(value) for value in log.between(low, high)[:8])
        yield Anomaly(
            _named(name, "skip"), f"{shown}, and what is between them is left out: {left_out}", witness
        )


def _named(name: str, how: str) -> str:
    # Jepsen's names: "poll skip", but "nonmonotonic poll".
    return name.replace("{} ", "") + " skip" if how == "skip" else name.format(how)


def _ordered(ops: Iterable[Op]) -> tuple[Op, ...]:
    return tuple(op for _, op in sorted({op.index: op for op in ops}.items()))
