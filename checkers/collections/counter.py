"""Counters: each read must be a sum that the additions can explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ostrakon.checkers.shape import is_whole, misfit
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op

_WIDEST = 1_000_000
"""Sums of uncertain adds are enumerated up to this spread; beyond it only the bounds are checked."""


@dataclass(slots=True)
class _Read:
    asked: Op
    sure: int
    """The sum of the additions that were acknowledged before the read began."""
    maybe: list[int] = field(default_factory=list)
    """The additions that may have taken effect before the read was answered."""

    def why_not(self, value: int) -> str | None:
        """Why the counter cannot have had this value; None if it can have had it."""
        low = self.sure + sum(amount for amount in self.maybe if amount < 0)
        high = self.sure + sum(amount for amount in self.maybe if amount > 0)
        if not low <= value <= high:
            return f"the counter was read as {value}, and could only be between {low} and {high}"
        if high - low <= _WIDEST and not (_sums(self.maybe, self.sure - low) >> (value - low)) & 1:
            return f"the counter was read as {value}, to which no selection of its adds sums up"
        return None


def counter(history: History) -> Verdict:
    """Check a counter: each `ok` read must equal the additions before it plus some concurrent ones.

    Ops are `add` of an integer, which may be negative, and `read`. An `add` that was ok before the read began
    counts. An `add` that failed does not count. Any other `add` that began before the read was answered may
    count. If no number is negative, a read that begins after another read has ended must not be smaller.
    """
    if not any(op.f in ("add", "read") for op in history.where(type="ok")):
        return Verdict.unknown("no add and no read succeeded")
    numbers = (*history.where(f="add", type="invoke"), *history.where(f="read", type="ok"))
    if (other := misfit(numbers, "a whole number", is_whole)) is not None:
        return other
    reads = sum(1 for _ in history.where(f="read", type="ok"))
    why = "" if reads else "the counter was never read, which any counter survives"
    return Verdict.of([*_impossible(history), *_backwards(history)], why, reads=reads)


def _impossible(history: History) -> Iterator[Anomaly]:
    sure, unsettled = 0, dict[int, int]()
    reading: dict[int, _Read] = {}
    for op in history.clients:
        begun = op if op.type == "invoke" else history.invocation(op)
        if begun is None:
            continue
        match op.f, op.type:
            case "add", "invoke":
                done = history.completion(op)
                if done is None or done.type != "fail":
                    unsettled[op.index] = op.value
                    for read in reading.values():
                        read.maybe.append(op.value)
            case "add", "ok":
                sure += unsettled.pop(begun.index)
            case "read", "invoke":
                reading[op.index] = _Read(op, sure, list(unsettled.values()))
            case "read", ended:
                read = reading.pop(begun.index)
                if ended == "ok" and (why := read.why_not(op.value)) is not None:
                    yield Anomaly("impossible count", why, (begun, op))


def _sums(amounts: list[int], zero: int) -> int:
    """A bit for each sum that some of the amounts have; the bit of the empty sum is `zero`."""
    sums = 1 << zero
    for amount in amounts:
        sums |= sums << amount if amount >= 0 else sums >> -amount
    return sums


def _backwards(history: History) -> Iterator[Anomaly]:
    if any(op.value < 0 for op in history.where(f="add", type="invoke")):
        return
    highest: Op | None = None
    settled: dict[int, Op | None] = {}
    for op in history.where(f="read"):
        if op.type == "invoke":
            settled[op.index] = highest
        elif op.type == "ok" and (begun := history.invocation(op)) is not None:
            before = settled.pop(begun.index)
            if before is not None and op.value < before.value:
                why = f"the counter was read as {before.value} and later as {op.value}, and nothing subtracts"
                yield Anomaly("counter went back", why, (before, begun, op))
            if highest is None or op.value > highest.value:
                highest = op
