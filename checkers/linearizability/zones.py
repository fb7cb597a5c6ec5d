"""Deciding without search, when each answer tells which operations must stand together and in what order.

Say that the operations fall into *blocks*: what follows a write until the next one, when no value is written
twice. Within a block the order is known up to *groups* of operations that may stand in any order; what is
left to find is an order of the blocks. This is P. Gibbons and E. Korach's method of zones ("Testing shared
memories", SIAM J. Comput. 26, 1997), extended from single writes to chains of them.

Let f be when the first operation of a block returns, and s when the last one is invoked. Block A must come
before B if some operation of A has returned before one of B is invoked: if f(A) < s(B). Where two blocks must
each come before the other, no order will do. Otherwise the order by f + s will: if A must come before B, and
B need not come before A, then f(A) < s(B) and s(A) <= f(B), so f(A) + s(A) < f(B) + s(B). So it is enough to
try that one order, and where it fails, it fails by two blocks that make all others fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ostrakon.checkers.linearizability.decision import Impossible
from ostrakon.harness.history.columns import NEVER, Ints, Mask

START = -1
"""The row, as it were, of what gives an object its first value: it returned before anything was invoked."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Operations, each placed into a group of a block."""

    row: Ints
    """The operation; START for what stands for the beginning."""
    group: Ints
    invoked: Ints
    returned: Ints
    block: Ints
    """The block of each group. Groups are numbered by block and in the order they have there."""
    part: Ints
    """What each block is part of: another part is another object."""

    def __post_init__(self) -> None:
        assert (np.diff(self.block) >= 0).all(), "groups are not in order of their blocks"


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What became of each part that was placed."""

    order: Ints
    """The rows of all parts, in an order that is a linearization for each possible part."""
    impossible: dict[int, Impossible]
    """By part."""


def settle(placed: Placement) -> Settled:
    """Order the blocks of each part, or find what makes it impossible."""
    latest, soonest = _per_group(placed)
    starts = np.flatnonzero(np.r_[True, placed.block[1:] != placed.block[:-1]])
    span = 4 * (int(latest.max(initial=0)) + 4)
    late = soonest < _maximum_before(latest, placed.block, span)
    f = np.minimum(np.minimum.reduceat(soonest, starts), span // 2)
    s = np.maximum.reduceat(latest, starts)
    ordered = np.argsort(placed.part * span + f + s, kind="stable")
    before = _maximum_before(s[ordered], placed.part[ordered], span)
    crossed = np.flatnonzero(f[ordered] < before)
    impossible: dict[int, Impossible] = {}
    for group in np.flatnonzero(late).tolist():
        block = placed.block[group]
        impossible.setdefault(int(placed.part[block]), _out_of_order(placed, group))
    for at in crossed.tolist():
        block = ordered[at]
        culprit = np.flatnonzero(
            (placed.part[ordered[:at]] == placed.part[block]) & (s[ordered[:at]] > f[block])
        )
        part = int(placed.part[block])
        impossible.setdefault(part, _at_odds(placed, int(block), int(ordered[culprit[0]])))
    return Settled(_rows_in_order(placed, starts, ordered), impossible)


def _per_group(placed: Placement) -> tuple[Ints, Ints]:
    """When the last operation of each group is invoked, and when the first one returns."""
    latest = np.full(len(placed.block), START - 1)
    soonest = np.full(len(placed.block), NEVER)
    np.maximum.at(latest, placed.group, placed.invoked)
    np.minimum.at(soonest, placed.group, placed.returned)
    return latest, soonest


def _maximum_before(values: Ints, segment: Ints, span: int) -> Ints:
    """For each value the largest before it in its segment. Segments come in order; values are below `span`.

    Where there is none, the result is below all values.
    """
    lifted = np.maximum.accumulate(values + segment * span)
    result: Ints = np.concatenate(([START - 1], lifted[:-1])) - segment * span
    return result


def _rows_in_order(placed: Placement, starts: Ints, ordered: Ints) -> Ints:
    sizes = np.diff(np.r_[starts, len(placed.block)])
    new_start = np.empty_like(starts)
    new_start[ordered] = np.cumsum(sizes[ordered]) - sizes[ordered]
    rank = np.arange(len(placed.block)) + (new_start - starts)[placed.block]
    span = int(placed.invoked.max(initial=0)) + 4
    rows: Ints = placed.row[np.argsort(rank[placed.group] * span + placed.invoked)]
    return np.compress(rows != START, rows)


def _out_of_order(placed: Placement, group: int) -> Impossible:
    """Something in the group has returned before something that must precede it was invoked."""
    in_block = placed.block[placed.group] == placed.block[group]
    soonest = _extreme(placed, placed.group == group, placed.returned, np.argmin)
    latest = _extreme(placed, in_block & (placed.group < group), placed.invoked, np.argmax)
    return _impossible(
        placed, (latest, soonest), "two operations took effect in one order and were seen in the other"
    )


def _at_odds(placed: Placement, one: int, other: int) -> Impossible:
    """Each block has something that returned before something in the other was invoked."""
    of = placed.block[placed.group]
    found = [
        extreme
        for block in (one, other)
        for extreme in (
            _extreme(placed, of == block, placed.returned, np.argmin),
            _extreme(placed, of == block, placed.invoked, np.argmax),
        )
    ]
    return _impossible(
        placed, found, "of two values that were each there without a break, each must precede the other"
    )


def _extreme(placed: Placement, among: Mask, values: Ints, which: object) -> int:
    rows = np.flatnonzero(among)
    return int(rows[which(values[rows])])  # type: ignore[operator]


def _impossible(placed: Placement, at: Sequence[int], why: str) -> Impossible:
    rows = np.unique(placed.row[list(at)])
    return Impossible(rows[rows != START], why)
