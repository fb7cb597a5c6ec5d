"""Queues: each dequeued element was enqueued, and when the queue is drained, no element is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ostrakon.checkers.shape import is_list, misfit
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def queue(history: History) -> Verdict:
    """Check a queue: each `ok` dequeue returns an element whose enqueue had begun, and returns it only once.

    Ops are `enqueue` and `dequeue` of one element, and `drain`, which dequeues a list of them. A `dequeue`
    that returns null found the queue empty, unless the history enqueues null.
    """
    if (other := misfit(history.where(f="drain", type="ok"), "a list of elements", is_list)) is not None:
        return other
    taken = _taken(history)
    if not taken:
        return Verdict.unknown("nothing was ever dequeued, so nothing came out that could be wrong")
    return Verdict.of(_wrongly_taken(history, taken), dequeued=len(taken))


def total_queue(history: History, *, handed_out: Iterable[Any] | None = None) -> Verdict:
    """Check a queue that is drained at the end: like `queue`, and each acknowledged element was dequeued.

    The element of an enqueue that was never answered may be dequeued; it is counted as `recovered`. A
    `dequeue` that was never answered may have taken one element, and such a `drain` any number. A missing
    element that may have been taken in this way is counted as `unaccounted` and makes the verdict unknown,
    because it may also be lost.

    The queue can settle this: `handed_out` has each element that it reported just before it removed it.
    A missing element in `handed_out` is counted as `unseen` for a dequeue that was never answered, and any
    other missing element is lost. A queue that calls `note("handed-out", value=job)` is checked by
    `total_queue(history, handed_out=[event.value for event in trace if event.event == "handed-out"])`.
    """
    if (other := misfit(history.where(f="drain", type="ok"), "a list of elements", is_list)) is not None:
        return other
    taken = _taken(history)
    if not taken:
        return Verdict.unknown("nothing was ever dequeued, so what is left in the queue is not known")
    out = Counter(key for key, _, _ in taken)
    missing: list[tuple[Op, Op]] = []
    unsure: Counter[Key] = Counter()
    sure: Counter[Key] = Counter()
    for op, done in _enqueued(history):
        key = canonical(op.value)
        if done is None or done.type == "info":
            unsure[key] += 1
        elif done.type == "ok":
            sure[key] += 1
            if sure[key] > out[key]:
                missing.append((op, done))
    recovered = sum(min(max(out[key] - sure[key], 0), times) for key, times in unsure.items())
    silent = [op for op, done in history.pairs if op.f in ("dequeue", "drain") and _is_silent(done)]
    unseen_max = len(missing) if any(op.f == "drain" for op in silent) else len(silent)
    details: dict[str, Any] = {}
    if handed_out is not None:
        reported = {canonical(element) for element in handed_out}
        lost = [pair for pair in missing if canonical(pair[0].value) not in reported]
        unseen = [pair for pair in missing if canonical(pair[0].value) in reported]
        missing, details["unseen"] = [*lost, *unseen[unseen_max:]], len(unseen[:unseen_max])
        unseen_max = 0
    taken_unseen = min(len(missing), unseen_max)
    details |= {
        "acknowledged": sure.total(), "lost": len(missing) - taken_unseen, "unaccounted": taken_unseen,
        "recovered": recovered, "dequeued": len(taken),
    }  # fmt: skip
    wrong = [*_wrongly_taken(history, taken), *_lost(missing, silent, taken_unseen)]
    if not wrong and taken_unseen:
        return Verdict.unknown(
            f"{_named(missing)} never came out although enqueuing was acknowledged; a dequeue that was never "
            f"answered (op {silent[0].index}) may have taken it, or it is lost",
            **details,
        )
    return Verdict.of(wrong, **details)


def _is_silent(done: Op | None) -> bool:
    return done is None or done.type == "info"


def _named(missing: list[tuple[Op, Op]]) -> str:
    first = value_text(missing[0][0].value)
    return first if len(missing) == 1 else f"{first}, as {len(missing) - 1} other elements,"


def _lost(missing: list[tuple[Op, Op]], silent: list[Op], taken_unseen: int) -> Iterator[Anomaly]:
    if not taken_unseen:
        for op, done in missing:
            why = f"enqueuing {value_text(op.value)} was acknowledged, and it never came out again"
            yield Anomaly("lost element", why, (op, done))
    elif taken_unseen < len(missing):
        why = (
            f"{len(missing)} acknowledged elements never came out, and the {len(silent)} dequeues that were "
            "never answered can have taken only one each"
        )
        witness = sorted({op.index: op for pair in (*missing, silent) for op in pair}.items())
        yield Anomaly("lost element", why, tuple(op for _, op in witness))


def _taken(history: History) -> list[tuple[Key, Any, Op]]:
    has_null = any(op.value is None for op in history.where(f="enqueue", type="invoke"))
    taken = []
    for op in history.where(type="ok"):
        if op.f == "drain" or (op.f == "dequeue" and (op.value is not None or has_null)):
            for element in [op.value] if op.f == "dequeue" else op.value or ():
                taken.append((canonical(element), element, op))
    return taken


def _enqueued(history: History) -> Iterator[tuple[Op, Op | None]]:
    return ((op, done) for op, done in history.pairs if op.f == "enqueue")


def _wrongly_taken(history: History, taken: list[tuple[Key, Any, Op]]) -> Iterator[Anomaly]:
    put: dict[Key, list[Op]] = {}
    failed: dict[Key, Op] = {}
    for op, done in _enqueued(history):
        if done is not None and done.type == "fail":
            failed[canonical(op.value)] = done
        else:
            put.setdefault(canonical(op.value), []).append(op)
    before: dict[Key, list[Op]] = {}
    for key, element, op in taken:
        came = before.setdefault(key, [])
        came.append(op)
        possible = sum(1 for enqueue in put.get(key, ()) if enqueue.index < op.index)
        if key not in put:
            witness = (failed[key], op) if key in failed else (op,)
            how = "although enqueuing it had failed" if key in failed else "and nobody ever enqueued it"
            yield Anomaly("unexpected element", f"{value_text(element)} was dequeued, {how}", witness)
        elif not possible:
            why = f"{value_text(element)} was dequeued before anyone began to enqueue it"
            yield Anomaly("unexpected element", why, (op, put[key][0]))
        elif len(came) > possible:
            why = f"{value_text(element)} was dequeued {len(came)} times and enqueued {possible} times"
            yield Anomaly("duplicate element", why, tuple(came))
