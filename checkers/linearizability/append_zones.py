"""Deciding about sequences that grow by appending, where the answers tell what stands in which block.

If some tokens were appended more than once, as by clients that start to count anew after a crash, all ways to
tell which is which are tried, as long as they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Final

import numpy as np

from checkers.linearizability.append_story import Blocks, Contradiction, Story
from checkers.linearizability.appends import Appends
from checkers.linearizability.decision import Decision, Impossible, Linearized
from checkers.linearizability.splitter import Ambiguous
from checkers.linearizability.zones import START, Placement, settle

_WAYS_AT_MOST: Final = 4096


def decide_appends(appends: Appends, parts: Sequence[Sequence[int]]) -> list[Decision | None]:
    """Decide for the rows of each part; None where that would take a search."""
    decisions: list[Decision | None] = [None] * len(parts)
    zones = _Zones(appends)
    clear: dict[int, Blocks] = {}
    for number, rows in enumerate(parts):
        try:
            story = Story(appends, rows)
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


def _try_all_ways(story: Story, zones: _Zones) -> Decision | None:
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
        self._invoked = np.array([*appends.invoked, START - 1])
        self._returned = np.array([*appends.returned, START])

    def settled(self, parts: Sequence[Blocks]) -> list[Decision]:
        if not parts:
            return []
        row = np.array([row for part in parts for row in part.row])
        block = np.array([block for part in parts for block in part.block])
        position = np.array([position for part in parts for position in part.position])
        blocks = np.array([len(part.lengths) for part in parts])
        placed = np.array([len(part.row) for part in parts])
        block = block + np.repeat(np.cumsum(blocks) - blocks, placed)
        lengths = np.array([length for part in parts for length in part.lengths])
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
