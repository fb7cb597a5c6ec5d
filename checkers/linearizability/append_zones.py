"""Deciding about sequences that grow by appending, where the answers tell what stands in which block.

If some tokens were appended more than once, as by clients that start to count anew after a crash, all ways to
tell which is which are tried, as long as they are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, product
from math import prod
from typing import Final

import numpy as np

from ostrakon.checkers.linearizability.append_order import AppendOrder, Blocks, Contradiction, Did
from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.linearizability.splitter import Ambiguous
from ostrakon.checkers.linearizability.zones import START, Placement, settle
from ostrakon.checkers.models.append_operations import READ, Appends
from ostrakon.harness.history.columns import Ints

_WAYS_AT_MOST: Final = 4096


def decide_appends(appends: Appends, part: Ints, count: int) -> list[Decision | None]:
    """Decide for each of so many parts, None where that would take a search; `part` is that of each row."""
    decisions: list[Decision | None] = [None] * count
    zones = _Zones(appends)
    clear: dict[int, Blocks] = {}
    for number, did in enumerate(_by_part(appends, part, count)):
        try:
            story = AppendOrder(appends, *did)
            if story.doubtful:
                decisions[number] = _try_all_ways(story, zones)
            else:
                clear[number] = story.blocks()
        except Contradiction as found:
            decisions[number] = Impossible(np.array(found.rows), found.why)
        except Ambiguous:
            pass
    for number, decision in zip(clear, zones.settled(list(clear.values())), strict=True):
        decisions[number] = decision
    return decisions


def _by_part(appends: Appends, part: Ints, count: int) -> Iterator[tuple[Did, Did, Did]]:
    """What was read by those that completed, written and appended in each part."""
    drawer = 3 * part + appends.kind
    drawer[(appends.kind == READ) & ~appends.known] = 3 * count
    ordered = np.argsort(drawer, kind="stable")
    rows, codes = ordered.tolist(), appends.code[ordered].tolist()
    ends = np.cumsum(np.bincount(drawer, minlength=3 * count)).tolist()
    drawers = (Did(rows[begin:end], codes[begin:end]) for begin, end in pairwise([0, *ends[: 3 * count]]))
    return zip(drawers, drawers, drawers, strict=True)


def _try_all_ways(story: AppendOrder, zones: _Zones) -> Decision | None:
    """It is impossible if all ways to tell equal tokens apart are."""
    tokens = list(story.doubtful)
    ways = [list(story.ways(token)) for token in tokens]
    if prod(map(len, ways)) > _WAYS_AT_MOST:
        return None
    for token, of_token in zip(tokens, ways, strict=True):
        if not of_token:
            return Impossible(np.array(story.writers(token)), "nobody can have written this when it was seen")
    decision: Decision | None = None
    for way in product(*ways):
        (decision,) = zones.settled([story.blocks(dict(zip(tokens, way, strict=True)))])
        if isinstance(decision, Linearized):
            break
    return decision


class _Zones:
    """Settles the blocks of several parts at once."""

    def __init__(self, appends: Appends) -> None:
        # At the end, where the row START points, stands the beginning.
        self._invoked = np.append(appends.invoked, START - 1)
        self._returned = np.append(appends.returned, START)

    def settled(self, parts: Sequence[Blocks]) -> list[Decision]:
        if not parts:
            return []
        row = _joined(part.row for part in parts)
        block = _joined(part.block for part in parts)
        position = _joined(part.position for part in parts)
        blocks = np.array([len(part.lengths) for part in parts])
        placed = np.array([len(part.row) for part in parts])
        block = block + np.repeat(np.cumsum(blocks) - blocks, placed)
        lengths = _joined(part.lengths for part in parts)
        settled = settle(
            Placement(
                row=row,
                group=(np.cumsum(lengths) - lengths)[block] + position,
                invoked=self._invoked[row],
                returned=self._returned[row],
                block=np.repeat(np.arange(len(lengths)), lengths),
                part=np.repeat(np.arange(len(parts)), blocks),
            )
        )
        part_of = np.zeros(len(self._invoked), np.int64)
        part_of[row] = np.repeat(np.arange(len(parts)), placed)
        of = part_of[settled.order]
        orders = np.split(
            settled.order[np.argsort(of, kind="stable")],
            np.cumsum(np.bincount(of, minlength=len(parts)))[:-1],
        )
        return [settled.impossible.get(part) or Linearized(order) for part, order in enumerate(orders)]


def _joined(lists: Iterable[list[int]]) -> Ints:
    return np.array(list(chain.from_iterable(lists)), np.int64)
