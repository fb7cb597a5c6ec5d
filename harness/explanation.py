"""What happened in a trial, in sentences: a witness with its nodes and times, and the faults between.

Checkers find the smallest set of operations that cannot be right. This module says what a person wants to
know of them: which node acknowledged what and when, which node answered what later, what that node had shown
before, and which faults were active. It also names the way in which an operation was lost, so that two bugs
of one program get two reasons. Everything here is pure: a history and plain data in, lines out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

from ostrakon.harness.history import NEMESIS, History, Op

Anomaly = Mapping[str, Any]
"""An anomaly as `results.json` has it."""

_RESTARTS = ("kill", "power_loss", "stop", "crash_at_sync", "crash_at_await")
"""Faults after which a node has only what it had saved."""
_COUNTED = {
    "messages": "struck {} messages",
    "connections": "broke {} connections",
    "operations": "struck {} operations of the disk",
    "files": "damaged {} files",
}
_INERT = "changed nothing"
_CUTS = ("partition", "drop", "clog")
_OPS_MAX, _FAULTS_MAX, _VALUE_MAX = 8, 6, 100
AFTER_RESTART = "after a restart"
"""What a reason says if a node was started again between an operation and the one that shows its loss."""


@dataclass(frozen=True, slots=True)
class FaultSpan:
    """One fault of a trial: what it was, when it was active and what it did."""

    number: int
    """Its place among the faults of the plan."""
    kind: str
    aim: str
    """Whom or what it struck, in words; empty if its kind says it all."""
    begin_ns: int
    end_ns: int | None
    """None if it was never undone."""
    did: str
    """What it changed, in words."""
    is_restart: bool

    @property
    def has_effect(self) -> bool:
        """Whether it changed anything."""
        return bool(self.did) and not self.did.startswith(_INERT)

    def line(self) -> str:
        """`partition n1 | n2 n3, 0.40–1.10 s, stopped 12 messages`."""
        return ", ".join((f"{self.kind} {self.aim}".strip(), self.when, self.did or _INERT))

    @property
    def when(self) -> str:
        """From when until when, in seconds."""
        end = f"{self.end_ns / 1e9:.2f} s" if self.end_ns is not None else "the end"
        return f"{self.begin_ns / 1e9:.2f}–{end}"

    def overlaps(self, begin_ns: int, end_ns: int) -> bool:
        """Whether it was active at any time from one moment to another."""
        return self.begin_ns <= end_ns and (self.end_ns is None or self.end_ns >= begin_ns)


@dataclass(frozen=True, slots=True)
class Explanation:
    """An anomaly, told."""

    headline: str
    """What happened, in one sentence."""
    lines: tuple[str, ...]
    """The story, one moment a line, in order of time."""
    manner: str
    """In which way it went wrong, in words that are the same for one bug whatever the seed."""


def fault_spans(history: History, effects: Sequence[Mapping[str, Any]]) -> list[FaultSpan]:
    """The faults that were begun, in the order of their beginning."""
    begun: dict[int, tuple[Op, int | None]] = {}
    for op in history.nemesis:
        fields = op.value if isinstance(op.value, Mapping) else {}
        number = fields.get("id")
        if op.f.startswith("start-") and number is not None and number not in begun:
            begun[number] = op, None
        elif op.f.startswith("stop-") and number in begun:
            begun[number] = begun[number][0], op.time
    by_number = {effect.get("fault"): effect for effect in effects}
    healed = next((op.time for op in history.nemesis if op.f == "heal"), None)
    return [
        _span(number, op, end if end is not None else healed, by_number.get(number, {}))
        for number, (op, end) in begun.items()
    ]


def explain(anomaly: Anomaly, history: History, faults: Sequence[FaultSpan]) -> Explanation | None:
    """An anomaly that is shown by clients' operations, told; None if it is not shown by any."""
    if isinstance(anomaly.get("details", {}).get("story"), str):
        return None  # The checker told it itself.
    operations = _operations(anomaly, history)
    if not operations:
        return None
    lost = _Lost.of(anomaly, operations, history, faults)
    if lost is not None:
        return Explanation(lost.headline, tuple(lost.lines()), lost.manner)
    moments = [(op.begin_ns, op.line()) for op in operations[:_OPS_MAX]]
    begin, end = operations[0].begin_ns, max(op.end_ns or op.begin_ns for op in operations)
    moments += [
        (span.begin_ns, f"{span.when}  {span.line_of_fault}") for span in _between(faults, begin, end)
    ]
    return Explanation("", tuple(line for _, line in sorted(moments)), "")


@dataclass(frozen=True, slots=True)
class _Between:
    begin_ns: int
    when: str
    line_of_fault: str


def _between(faults: Sequence[FaultSpan], begin_ns: int, end_ns: int) -> list[_Between]:
    """The faults that were active in this time and did something."""
    active = [span for span in faults if span.overlaps(begin_ns, end_ns) and span.has_effect]
    return [
        _Between(
            span.begin_ns,
            span.when,
            "fault: " + ", ".join(filter(None, (f"{span.kind} {span.aim}".strip(), span.did))),
        )
        for span in active[:_FAULTS_MAX]
    ]


@dataclass(frozen=True, slots=True)
class _Operation:
    """A client's operation, from its invocation to what was heard of it."""

    invoked: Op
    ended: Op | None
    key: Any
    """The object that it is about, where there are several; None if there is one."""

    @property
    def begin_ns(self) -> int:
        return self.invoked.time

    @property
    def end_ns(self) -> int | None:
        return self.ended.time if self.ended is not None and self.ended.type != "info" else None

    @property
    def is_ok(self) -> bool:
        return self.ended is not None and self.ended.type == "ok"

    @property
    def node(self) -> str | None:
        return self.ended.node if self.ended is not None else None

    @property
    def argument(self) -> Any:
        return self._unkeyed(self.invoked.value)

    @property
    def result(self) -> Any:
        return self._unkeyed(self.ended.value) if self.ended is not None else None

    @property
    def is_read(self) -> bool:
        """Whether it asked for something, so that its answer says what the node knew."""
        return self.argument is None

    @property
    def shown(self) -> Any:
        """The value that the node had afterwards, as far as this operation says so."""
        if self.is_read:
            return self.result
        # A compare-and-set leaves the second of its values.
        pair = isinstance(self.argument, list | tuple) and len(self.argument) == 2
        return self.argument[1] if self.f == "cas" and pair else self.argument

    @property
    def f(self) -> str:
        return self.invoked.f

    @property
    def name(self) -> str:
        """`write a = 3`, `read a`, `cas a 0 → 3`, `dequeue`."""
        key = f" {_text(self.key)}" if self.key is not None else ""
        if self.is_read:
            return f"{self.f}{key}"
        if self.f == "cas" and isinstance(self.argument, list | tuple) and len(self.argument) == 2:
            return f"{self.f}{key} {_text(self.argument[0])} → {_text(self.argument[1])}"
        return f"{self.f}{key} = {_text(self.argument)}" if key else f"{self.f} {_text(self.argument)}"

    @property
    def outcome(self) -> str:
        match self.ended.type if self.ended is not None else "info":
            case "ok":
                return f"answered {_text(self.result)}" if self.is_read else f"acknowledged {self.name}"
            case "fail":
                return f"refused {self.name}"
            case _:
                return f"never answered {self.name}, which may have taken effect"

    def line(self) -> str:
        """One line of a story: when, which node, what it said, and who had asked."""
        end = f"–{self.end_ns / 1e9:.3f}" if self.end_ns is not None else ""
        asked = f" to {self.name}" if self.is_ok and self.is_read else ""
        who = self.node or "the system"
        return (
            f"{self.begin_ns / 1e9:.3f}{end} s  {who} {self.outcome}{asked} (process {self.invoked.process})"
        )

    def _unkeyed(self, value: Any) -> Any:
        if self.key is not None and isinstance(value, list | tuple) and len(value) == 2:
            return value[1]
        return value


@dataclass(frozen=True)
class _Lost:
    """An operation that was acknowledged, and a later one that does not know of it."""

    acknowledged: _Operation
    observer: _Operation
    operations: Sequence[_Operation]
    """Those of the witness."""
    tried: Sequence[_Operation]
    """All about the same object."""
    others: Sequence[_Operation]
    """Those of them that were done."""
    faults: Sequence[FaultSpan]

    @classmethod
    def of(
        cls,
        anomaly: Anomaly,
        operations: Sequence[_Operation],
        history: History,
        faults: Sequence[FaultSpan],
    ) -> _Lost | None:
        if anomaly.get("name") != "not linearizable":
            return None
        answered = [op for op in operations if op.is_ok]
        if not answered:
            return None
        observer = max(answered, key=lambda op: op.ended.index if op.ended is not None else -1)
        if not observer.is_read and observer.f != "cas":
            readers = [op for op in answered if op.is_read]
            observer = readers[-1] if readers else observer
        before = [
            op
            for op in answered
            if op is not observer and (op.end_ns or 0) <= observer.begin_ns and op.shown != observer.shown
        ]
        if not before:
            return None
        acknowledged = max(before, key=lambda op: (not op.is_read, op.end_ns or 0))
        tried = list(_all_operations(history, observer.key))
        return cls(acknowledged, observer, operations, tried, [op for op in tried if op.is_ok], faults)

    @property
    def headline(self) -> str:
        """Who answered what although who had acknowledged what."""
        lost, seen = self.acknowledged, self.observer
        after_s = (seen.begin_ns - (lost.end_ns or lost.begin_ns)) / 1e9
        who, whose = seen.node or "the system", lost.node or "the system"
        said = (
            f"{who} answered {seen.name} with {_text(seen.result)}"
            if seen.is_read
            else f"{who} acknowledged {seen.name}"
        )
        if lost.is_read:
            had = f"answered {lost.name} with {_text(lost.result)}"
        else:
            had = f"acknowledged {lost.name}"
        whose = "it" if whose == who and lost.node is not None else whose
        return f"{said}, {after_s:.2f} s after {whose} had {had}"

    @property
    def manner(self) -> str:
        """How it was lost, on which node, and whether a restart lies between."""
        return " · ".join((self._how, *self._where, *self._restart))

    @property
    def _how(self) -> str:
        lost, seen = self.acknowledged, self.observer
        if not seen.is_read:
            return f"{seen.f} ignored {lost.f}"
        if not self._was_written:
            return f"{seen.f} of what nobody wrote"
        f = self._lost_f
        return f"stale {seen.f} after {f}" if self.seen_later else f"lost {f}"

    @property
    def _lost_f(self) -> str:
        """The kind of operation that was lost; what an earlier answer showed was written by one, too."""
        lost = self.acknowledged
        if not lost.is_read:
            return lost.f
        written = (op.f for op in self.others if not op.is_read and op.shown == lost.result)
        return next(written, "write")

    @property
    def _was_written(self) -> bool:
        value = self.observer.result
        if not value:  # Nothing, 0 and the like are what is there before anybody writes.
            return True
        return any(op.shown == value for op in (*self.tried, *self.operations) if not op.is_read)

    @cached_property
    def seen_later(self) -> _Operation | None:
        """The first answer after the observer's that knows of what the observer did not."""
        end_ns = self.observer.end_ns or self.observer.begin_ns
        later = (op for op in self.others if op.is_read and op.begin_ns >= end_ns)
        found = (op for op in later if op.result == self.acknowledged.shown)
        overwritten_ns = min(
            (
                op.begin_ns
                for op in self.others
                if not op.is_read
                and op.begin_ns > self.acknowledged.begin_ns
                and op.invoked is not self.acknowledged.invoked
                and op.shown == self.acknowledged.shown
            ),
            default=None,
        )
        first = next(found, None)
        # What was written again says nothing about the first time.
        is_sure = first is not None and (overwritten_ns is None or first.begin_ns < overwritten_ns)
        return first if is_sure else None

    @property
    def _where(self) -> Iterator[str]:
        if self.acknowledged.node is not None and self.observer.node is not None:
            yield "same node" if self.acknowledged.node == self.observer.node else "another node"

    @property
    def _restart(self) -> Iterator[str]:
        begin_ns, end_ns = self.acknowledged.begin_ns, self.observer.end_ns or self.observer.begin_ns
        if any(
            span.is_restart and begin_ns <= span.begin_ns <= end_ns and span.has_effect
            for span in self.faults
        ):
            yield AFTER_RESTART

    def lines(self) -> Iterator[str]:
        """The story in order of time."""
        begin_ns = self.acknowledged.begin_ns
        end_ns = self.observer.end_ns or self.observer.begin_ns
        moments = [(op.begin_ns, op.line()) for op in self.operations[:_OPS_MAX]]
        moments += [
            (span.begin_ns, f"{span.when}  {span.line_of_fault}")
            for span in _between(self.faults, begin_ns, end_ns)
        ]
        yield from (line for _, line in sorted(moments))
        yield from self._known_before()
        if (later := self.seen_later) is not None:
            yield f"later: {later.line()}"
        elif self.observer.is_read and not self.acknowledged.is_read:
            yield f"no later answer shows {self.acknowledged.name}"

    def _known_before(self) -> Iterator[str]:
        """What the answering node had shown of the object last before it answered."""
        node = self.observer.node
        if node is None:
            return
        earlier = [
            op
            for op in self.others
            if op.node == node and (op.end_ns or 0) <= self.observer.begin_ns and op.invoked.index != -1
        ]
        shown = [op for op in earlier if all(op.invoked is not known.invoked for known in self.operations)]
        if shown:
            last = max(shown, key=lambda op: op.end_ns or 0)
            yield f"{node} before that: {last.line()}"


def _operations(anomaly: Anomaly, history: History) -> list[_Operation]:
    """The clients' operations of a witness, in the order of their invocation."""
    keyed = str(anomaly.get("details", {}).get("model", "")).startswith("keyed")
    invoked: dict[int, Op] = {}
    for told in anomaly.get("ops", ()):
        index = told.get("index", -1)
        if not 0 <= index < len(history) or history[index].process == NEMESIS:
            continue
        op = history[index]
        first = op if op.type == "invoke" else history.invocation(op)
        if first is not None:
            invoked[first.index] = first
    return [_operation(op, history, keyed=keyed) for _, op in sorted(invoked.items())]


def _operation(invoked: Op, history: History, *, keyed: bool) -> _Operation:
    value = invoked.value
    key = value[0] if keyed and isinstance(value, list | tuple) and len(value) == 2 else None
    return _Operation(invoked, history.completion(invoked), key)


def _all_operations(history: History, key: Any) -> Iterator[_Operation]:
    for invoked, _ in history.pairs:
        operation = _operation(invoked, history, keyed=key is not None)
        if operation.key == key:
            yield operation


def _span(number: int, begun: Op, end_ns: int | None, effect: Mapping[str, Any]) -> FaultSpan:
    fields = begun.value
    kind = str(fields.get("asked") or fields.get("kind", begun.f.removeprefix("start-")))
    did = [text.format(effect[name]) for name, text in _COUNTED.items() if effect.get(name)]
    did += [f"{name} {count}" for name, count in effect.get("other", {}).items() if count]
    if fields.get("kind") in _CUTS:
        did = [text.replace("struck", "stopped") for text in did]
    nodes = [*effect.get("stopped", ()), *effect.get("clocks", ())]
    aim = _aim(fields)
    if nodes and not aim:
        aim = " ".join(dict.fromkeys(nodes))
    if not did and nodes:
        did = ["took effect"]
    if effect and effect.get("inert"):
        did = [f"{_INERT}: {why}"] if (why := effect.get("why_inert")) else []
    return FaultSpan(
        number, kind, aim, begun.time, end_ns, ", ".join(did), str(fields.get("kind")) in _RESTARTS
    )


def _aim(fields: Mapping[str, Any]) -> str:
    if grudge := fields.get("grudge"):
        return _sides(grudge)
    if nodes := fields.get("nodes"):
        return " ".join(nodes)
    if links := fields.get("links"):
        return " ".join(f"{sender}>{receiver}" for sender, receiver in links[:_FAULTS_MAX])
    return f"the {fields['target']}" if fields.get("target") else ""


def _sides(grudge: Mapping[str, Sequence[str]]) -> str:
    """A grudge as the groups that it makes, or link by link where it makes none: `n1 | n2 n3`."""
    nodes = sorted({*grudge, *(sender for senders in grudge.values() for sender in senders)})
    cut = {(receiver, sender) for receiver, senders in grudge.items() for sender in senders}
    groups: list[list[str]] = []
    for node in nodes:
        home = next(
            (group for group in groups if (group[0], node) not in cut and (node, group[0]) not in cut), None
        )
        if home is None:
            groups.append([node])
        else:
            home.append(node)
    group_of = {node: number for number, group in enumerate(groups) for node in group}
    is_split = all(((a, b) in cut) == (group_of[a] != group_of[b]) for a, b in permutations(nodes, 2))
    if is_split and len(groups) > 1:
        return " | ".join(" ".join(group) for group in groups)
    return "; ".join(f"{receiver} does not hear {' '.join(senders)}" for receiver, senders in grudge.items())


def _text(value: Any) -> str:
    if value is None:
        return "nil"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _VALUE_MAX else f"{text[: _VALUE_MAX - 1]}…"
