"""Session guarantees: the ops of one client never go back in the log, judged by their slots.

Terry et al., "Session Guarantees for Weakly Consistent Replicated Data" (PDIS 1994). Where answers name the
slot of the log that they reflect, all four guarantees say that a client's slots never decrease.
"""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.shape import is_number, misfit
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op, Process

_BROKEN = {
    ("read", "read"): "monotonic reads",
    ("write", "read"): "read your writes",
    ("write", "write"): "monotonic writes",
    ("read", "write"): "writes follow reads",
}


def sessions(history: History, *, reads: tuple[str, ...] = ("read", "get")) -> Verdict:
    """Check all four session guarantees: the slots of a client's `ok` ops never decrease.

    The `slot` of a write is its position in the log. The `slot` of a read is the last position that it
    reflects. Ops whose f is not in `reads` are writes. The name of an anomaly is the violated guarantee.
    """
    answers = [op for op in history.where(type="ok") if op.slot is not None]
    if not answers:
        return Verdict.unknown("no answer names the slot that it reflects")
    return Verdict.of(_steps_back(answers, reads), answers=len(answers))


def _steps_back(answers: list[Op], reads: tuple[str, ...]) -> Iterator[Anomaly]:
    latest: dict[tuple[Process, str], Op] = {}
    for op in answers:
        kind = "read" if op.f in reads else "write"
        assert op.slot is not None, op
        for before in ("read", "write"):
            earlier = latest.get((op.process, before))
            if earlier is None or earlier.slot is None:
                continue
            same_write = before == kind == "write" and op.slot == earlier.slot
            if op.slot < earlier.slot or same_write:
                name = _BROKEN[before, kind]
                why = (
                    f"{name} does not hold: process {op.process}'s {op.f} is at slot {op.slot}, "
                    f"after its {earlier.f} at slot {earlier.slot}"
                )
                yield Anomaly(name, why, (earlier, op), property="M13")
        mine = latest.get((op.process, kind))
        if mine is None or mine.slot is None or op.slot > mine.slot:
            latest[op.process, kind] = op


def monotonic_reads(history: History, *, f: str = "read") -> Verdict:
    """Check reads of a growing value: the `ok` reads of each client never decrease."""
    reads = [op for op in history.where(f=f, type="ok") if op.value is not None]
    if not reads:
        return Verdict.unknown("nothing was read")
    if (other := misfit(reads, "a number", is_number)) is not None:
        return other
    return Verdict.of(_smaller(reads), reads=len(reads))


def _smaller(reads: list[Op]) -> Iterator[Anomaly]:
    highest: dict[Process, Op] = {}
    for op in reads:
        earlier = highest.setdefault(op.process, op)
        if op.value < earlier.value:
            why = f"process {op.process} read {op.value} after it had read {earlier.value}"
            yield Anomaly("monotonic reads", why, (earlier, op))
        else:
            highest[op.process] = op
