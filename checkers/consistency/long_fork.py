"""Long fork: two reads observe two writes in opposite orders, which parallel snapshot isolation allows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op

_Seen = tuple[frozenset[Key], Op]


def long_fork(history: History) -> Verdict:
    """Check that of any two `ok` reads of the same keys, one has all the writes that the other has.

    The value of an op is a list of micro-ops: one `["w", key, value]`, or several `["r", key, value]`, where
    null means not written yet. Each key is written once. So a read is a set of writes, and these sets must be
    ordered by inclusion. The verdict is unknown if no keys were read twice, or if a key has two values.
    """
    groups: dict[frozenset[Key], list[_Seen]] = {}
    values: dict[Key, Any] = {}
    for op in history.where(type="ok"):
        micro_ops = op.value if isinstance(op.value, list | tuple) else ()
        if len(micro_ops) < 2 or not all(map(_is_read, micro_ops)):
            continue
        for _, key, value in micro_ops:
            if value is not None and values.setdefault(canonical(key), value) != value:
                both = f"{value_text(values[canonical(key)])} and {value_text(value)}"
                return Verdict.unknown(f"key {value_text(key)} was read as {both}; each key is written once")
        saw = frozenset(canonical(key) for _, key, value in micro_ops if value is not None)
        groups.setdefault(frozenset(canonical(key) for _, key, _ in micro_ops), []).append((saw, op))
    if not any(len(group) > 1 for group in groups.values()):
        return Verdict.unknown("no keys were read together more than once, so no reads can disagree")
    return Verdict.of(
        (anomaly for group in groups.values() for anomaly in _forks(group)),
        groups=len(groups),
        reads=sum(map(len, groups.values())),
    )


def _is_read(micro_op: Any) -> bool:
    return isinstance(micro_op, list | tuple) and len(micro_op) == 3 and micro_op[0] == "r"


def _forks(group: list[_Seen]) -> Iterator[Anomaly]:
    """In order of size, each set must include the one before it; two different sets of equal size are a
    fork."""
    ordered = sorted(dict(group).items(), key=lambda seen: (len(seen[0]), seen[1].index))
    for (smaller, one), (larger, other) in pairwise(ordered):
        if not smaller <= larger:
            first = min(smaller - larger, key=str)
            second = min(larger - smaller, key=str)
            why = (
                f"op {one.index} saw the write of {_text(first)} and not that of {_text(second)}, "
                f"op {other.index} the other way round"
            )
            yield Anomaly("long fork", why, (one, other) if one.index < other.index else (other, one))


def _text(key: Key) -> str:
    return key.decode() if isinstance(key, bytes) else value_text(key)
