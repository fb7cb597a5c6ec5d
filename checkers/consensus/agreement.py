"""What clients of consensus may be told: agreement, validity and integrity.

Agreement: all answers about a slot are equal. Validity: each decision was proposed by a client. Integrity:
the answers of one node, and the answers to one process, never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ostrakon.checkers.consensus.answers import ANSWERS, answers, teller
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def agreement(history: History, *, fs: tuple[str, ...] = ANSWERS) -> Verdict:
    """Check that any two `ok` answers about a slot are equal.

    An answer is the value of an `ok` op whose f is one of `fs`; ops without a slot are about slot 0.

    >>> told = History([
    ...     Op(0, 0, "invoke", 0, "propose", "x"), Op(1, 5, "ok", 0, "propose", "x", node="n1"),
    ...     Op(2, 6, "invoke", 1, "get"), Op(3, 9, "ok", 1, "get", "y", node="n2"),
    ... ])
    >>> agreement(told).why
    'process 0 was told by n1 that slot 0 is "x", process 1 was told by n2 that it is "y"'
    """
    told = answers(history, fs)
    if not told:
        return Verdict.unknown("nobody was told of any decision, so there was nothing to disagree about")
    return Verdict.of(_disagreements(told), answers=len(told))


def _disagreements(told: Iterable[Op]) -> Iterator[Anomaly]:
    """One anomaly for each further value of a slot after the first."""
    first: dict[int, dict[Key, Op]] = {}
    for op in told:
        slot = op.slot or 0
        values, key = first.setdefault(slot, {}), canonical(op.value)
        if values and key not in values:
            yield disagreement(next(iter(values.values())), op)
        values.setdefault(key, op)


def disagreement(earlier: Op, later: Op) -> Anomaly:
    """The anomaly of two different answers about one slot."""
    slot = later.slot or 0
    return Anomaly(
        "split decision",
        f"{teller(earlier)} that slot {slot} is {value_text(earlier.value)}, "
        f"{teller(later)} that it is {value_text(later.value)}",
        (earlier, later),
        details={"slot": slot},
    )


def validity(history: History, *, ask: str = "propose", fs: tuple[str, ...] = ANSWERS) -> Verdict:
    """Check that each decision in an answer is the value of an `ask` op that was invoked before the
    answer."""
    if not any(op.f in fs for op in history.where(type="ok")):
        return Verdict.unknown("nobody was told of any decision, so none could be invalid")
    return Verdict.of(_from_nowhere(history, ask, fs))


def _from_nowhere(history: History, ask: str, fs: tuple[str, ...]) -> Iterator[Anomaly]:
    """One anomaly for each value, at its first answer."""
    known: set[Key] = set()
    for op in history.clients:
        if op.type == "invoke" and op.f == ask:
            known.add(canonical(op.value))
        elif op.type == "ok" and op.f in fs and (key := canonical(op.value)) not in known:
            known.add(key)
            late = _asked_later(history, op, key, ask)
            by = f" by {op.node}" if op.node is not None else ""
            when = "until later" if late else "at all"
            yield Anomaly(
                "value from nowhere",
                f"process {op.process} was told{by} that {value_text(op.value)} is decided, "
                f"which nobody had asked for {when}",
                (op, *late),
            )


def _asked_later(history: History, answer: Op, key: Key, ask: str) -> tuple[Op, ...]:
    later = (
        op
        for op in history.where(f=ask, type="invoke")
        if op.index > answer.index and canonical(op.value) == key
    )
    return tuple(op for op in (next(later, None),) if op is not None)


def integrity(history: History, *, fs: tuple[str, ...] = ANSWERS) -> Verdict:
    """Check that the answers of a node about a slot never change, nor the answers that a process gets.

    A node may no longer know a decision: it may have restarted, and what it learned need not be durable, as
    long as its votes are.
    """
    told = answers(history, fs)
    if not told:
        return Verdict.unknown("nobody was told of any decision, so none could change")
    return Verdict.of(_changes(told))


def _changes(told: Iterable[Op]) -> Iterator[Anomaly]:
    last: dict[tuple[str, str | int, int], Op] = {}
    for op in told:
        slot = op.slot or 0
        sources: list[tuple[str, str | int, int]] = [("process", op.process, slot)]
        if op.node is not None:
            sources.append(("node", op.node, slot))
        changed = [
            source for source in sources if canonical(last.get(source, op).value) != canonical(op.value)
        ]
        if changed:
            earlier = last[changed[-1]]
            yield Anomaly(
                "decision changed",
                f"{teller(earlier)} that slot {slot} is {value_text(earlier.value)}, "
                f"and later {teller(op)} that it is {value_text(op.value)}",
                (earlier, op),
                details={"slot": slot},
            )
        for source in sources:
            last[source] = op
