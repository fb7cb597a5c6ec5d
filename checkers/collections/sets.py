"""Growing sets that are read once at the end: the read has exactly the added elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ostrakon.checkers.shape import is_list, misfit
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op

Adds = dict[Key, tuple[Op, Op | None]]
"""The `add` of each element, and its completion."""


def final_set(history: History) -> Verdict:
    """Check a set: the last `ok` read must have exactly the added elements.

    An op is `add` of an element, or `read` with a list. The read must have each element whose `add` was ok
    before the read began. It must not have one whose `add` failed. It may have one whose `add` was never
    answered; such an element is counted as `recovered`. The verdict is unknown if no read was ok, or if
    nothing was added.
    """
    reads = list(history.where(f="read", type="ok"))
    if not reads:
        return Verdict.unknown("the set was never read, so what became of its elements is not known")
    if (other := misfit(reads, "a list of elements", is_list)) is not None:
        return other
    read = reads[-1]
    asked = history.invocation(read) or read
    seen = {canonical(element) for element in read.value or ()}
    adds = adds_of(history)
    lost = list(_lost(read, asked, seen, adds))
    if not seen and not any(_is_due(done, asked) for _, done in adds.values()):
        return Verdict.unknown(
            f"the last read shows nothing, and no add was acknowledged before it began (op {asked.index}), "
            "so what became of the elements is not known"
        )
    recovered = sum(1 for key, (_, done) in adds.items() if key in seen and (not done or done.type == "info"))
    return Verdict.of(
        [*strangers(read, adds), *repeated(read), *lost],
        attempted=len(adds),
        read=len(seen),
        lost=len(lost),
        recovered=recovered,
    )


def adds_of(history: History) -> Adds:
    """The `add` ops by element. If an element has several, the first invocation, and of the completions the
    first `ok`; without one, that of an `add` that may have taken effect; a `fail` only if all failed."""
    adds: Adds = {}
    for op, done in history.pairs:
        if op.f == "add":
            key = canonical(op.value)
            if key not in adds:
                adds[key] = (op, done)
            elif _certainty(done) > _certainty(adds[key][1]):
                adds[key] = (adds[key][0], done)
    return adds


def _certainty(done: Op | None) -> int:
    """How sure it is that an `add` took effect: 0 if it did not."""
    return 1 if done is None else {"fail": 0, "info": 1, "ok": 2}[done.type]


def strangers(read: Op, adds: Adds) -> Iterator[Anomaly]:
    """Elements of a read that were never added, were added only later, or whose `add` failed."""
    for element in read.value or ():
        match adds.get(canonical(element)):
            case None:
                why = f"{value_text(element)} was read, and nobody ever added it"
                yield Anomaly("unexpected element", why, (read,))
            case (op, _) if op.index > read.index:
                why = f"{value_text(element)} was read before anyone began to add it"
                yield Anomaly("unexpected element", why, (read, op))
            case (op, done) if done is not None and done.type == "fail":
                why = f"{value_text(element)} was read, although adding it had failed"
                yield Anomaly("aborted add", why, (op, done, read))


def repeated(read: Op) -> Iterator[Anomaly]:
    """Elements that a read has more than once."""
    elements = {canonical(element): element for element in read.value or ()}
    for key, times in Counter(canonical(element) for element in read.value or ()).items():
        if times > 1:
            why = f"one read holds {value_text(elements[key])} {times} times"
            yield Anomaly("duplicate element", why, (read,))


def _lost(read: Op, asked: Op, seen: set[Key], adds: Adds) -> Iterator[Anomaly]:
    for key, (op, done) in adds.items():
        if done is not None and _is_due(done, asked) and key not in seen:
            why = f"adding {value_text(op.value)} was acknowledged, and the last read does not have it"
            yield Anomaly("lost element", why, (op, done, asked, read))


def _is_due(done: Op | None, asked: Op) -> bool:
    """Whether an `add` was acknowledged before a read began, so that the read must have the element."""
    return done is not None and done.type == "ok" and done.index < asked.index
