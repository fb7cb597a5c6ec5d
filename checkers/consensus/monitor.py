"""Checks a trial of consensus while it runs: what clients are told, and each event that nodes report."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import cache

from ostrakon.checkers.consensus.agreement import disagreement
from ostrakon.checkers.consensus.answers import ANSWERS
from ostrakon.checkers.consensus.rules import HARM, LATENT, RULES, Judge, ValueJudge
from ostrakon.checkers.consensus.seen import Seen, Slot
from ostrakon.checkers.value import Key, canonical
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event, Op


class ConsensusMonitor:
    """Tells the first violation of agreement, of P1 to P11 or of M8, at the op or event that commits it.

    `ask` is the f of the operations by which clients propose values; an answer is the value of an `ok` op
    whose f is one of `fs`.

    >>> monitor = ConsensusMonitor()
    >>> told = Op(1, 5, "ok", 0, "propose", "x"), Op(3, 9, "ok", 1, "get", "y")
    >>> [why for op in told if (why := monitor.op(op))]
    ['process 0 was told that slot 0 is "x", process 1 was told that it is "y"']
    """

    def __init__(self, *, ask: str = "propose", fs: tuple[str, ...] = ANSWERS) -> None:
        self._ask, self._fs = ask, fs
        self._asked: set[Key] = set()
        self._watch = Watch(invited=self._asked)
        self._first: dict[int, Op] = {}

    def event(self, event: Event) -> str | None:
        """What is wrong with the next event, in a sentence.

        Raises: IncompleteEvent, if it lacks what its kind must have.
        """
        anomaly = self._watch.feed(event)
        return f"{anomaly.property}: {anomaly.why}" if anomaly is not None else None

    def op(self, op: Op) -> str | None:
        """What is wrong with the next op, in a sentence."""
        if op.type == "invoke" and op.f == self._ask:
            self._asked.add(canonical(op.value))
        elif op.type == "ok" and op.f in self._fs:
            first = self._first.setdefault(op.slot or 0, op)
            if canonical(first.value) != canonical(op.value):
                return disagreement(first, op).why
        return None


class Watch:
    """Tells the first violation at the very event that commits it.

    Events are fed in the order of true time. `invited` holds the canonical form of each value that clients
    asked for, if known; `only` names the properties to watch, by default all of them.

    >>> watch = Watch()
    >>> told = [Event(0, "n1", 0, 0, "promise_sent", ballot=(2, 1)),
    ...         Event(9, "n1", 1, 0, "promise_sent", ballot=(1, 2))]
    >>> [anomaly.why for event in told if (anomaly := watch.feed(event))]
    ['n1 promised ballot 1.2 after a restart, though it had promised the higher ballot 2.1 before']
    """

    def __init__(self, *, invited: Container[Key] | None = None, only: Iterable[str] = tuple(RULES)) -> None:
        self.seen = Seen(invited)
        self.harmed = False
        """Whether agreement itself has been violated."""
        self._of_values, self._of_others = _tables(tuple(only))

    def feed(self, event: Event) -> Anomaly | None:
        """Judge the next event; if it breaks several rules, the one that does most harm is told.

        Raises: IncompleteEvent, if it lacks what its kind must have.
        """
        found = self.judge(event)
        return found[0] if found else None

    def judge(self, event: Event) -> Sequence[Anomaly]:
        """All violations that the next event commits, worst first; otherwise as `feed`."""
        found: list[tuple[str, Anomaly]] | None = None
        seen, kind = self.seen, event.event
        if kind in self._of_values:
            value_judges, add_value = self._of_values[kind]
            slot = seen.slots.get(event.slot or 0) or seen.slot(event.slot)
            value = event.value
            key = value if type(value) is str else canonical(value)
            for name, judge_value in value_judges:
                if (anomaly := judge_value(seen, event, slot, key)) is not None:
                    found = [*(found or ()), (name, anomaly)]
            add_value(seen, event, slot, key)
        elif kind in self._of_others:
            judges, add = self._of_others[kind]
            for name, judge in judges:
                if (anomaly := judge(seen, event)) is not None:
                    found = [*(found or ()), (name, anomaly)]
            add(seen, event)
        return self._named(found) if found else ()

    def _named(self, found: list[tuple[str, Anomaly]]) -> list[Anomaly]:
        self.harmed = self.harmed or any(name in HARM for name, _ in found)
        return [
            replace(
                anomaly,
                property=name,
                latent=name in LATENT and not self.harmed,
                witness=tuple(sorted(anomaly.witness, key=lambda seen: seen.time)),
            )
            for name, anomaly in found
        ]


_AddValue = Callable[[Seen, Event, Slot, Key], None]
_Add = Callable[[Seen, Event], None]

_ADD_VALUE: dict[str, _AddValue] = {
    "propose_sent": Seen.add_proposal,
    "accept_sent": Seen.add_vote,
    "learned": Seen.add_learned,
    "applied": Seen.add_applied,
}
_ADD: dict[str, _Add] = {
    "config_active": Seen.add_members,
    "restart": Seen.add_restart,
    "prepare_sent": Seen.add_prepare,
    "promise_sent": Seen.add_promise,
    "tell_sent": Seen.add_told,
    "compacted": Seen.add_compaction,
    "snapshot_installed": Seen.add_compaction,
}


@cache
def _tables(
    only: tuple[str, ...],
) -> tuple[
    dict[str, tuple[list[tuple[str, ValueJudge]], _AddValue]],
    dict[str, tuple[list[tuple[str, Judge]], _Add]],
]:
    """By kind of event: what judges it, under the name of the property, and what takes note of it."""
    rules = [(name, RULES[name]) for name in only]
    of_values = {
        kind: ([(name, rule.of_values[kind]) for name, rule in rules if kind in rule.of_values], add)
        for kind, add in _ADD_VALUE.items()
    }
    of_others = {
        kind: ([(name, rule.of_others[kind]) for name, rule in rules if kind in rule.of_others], add)
        for kind, add in _ADD.items()
    }
    return of_values, of_others
