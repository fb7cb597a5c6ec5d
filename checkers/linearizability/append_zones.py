"""Decides about sequences that grow by appending, where the answers to reads show the order of elements.

What is appended, a *token*, is an element of a list or a part of a string. A block is a write, or the
beginning, with the appends that were seen after it and the reads that saw them. Each answer names all that
was appended before it. So the longest answer gives the order in its block.

If some tokens were appended more than once, as by clients that count from the start again after a crash, all
ways to match them are tried, as long as there are few.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise, permutations, product
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.linearizability.splitter import Ambiguous, Splitter
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
    """Decide that the part has no linearization if none of the ways to tell equal tokens apart has one."""
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


@dataclass(frozen=True, slots=True)
class Written:
    """A token that was written, rather than appended."""

    value: Hashable


Token = Hashable
"""A value that was appended, or what was Written."""
Place = tuple[int, int]
"""A block and a position in it."""

_TWINS_AT_MOST: Final = 6
"""Writers of one token: there are as many ways to tell them apart as orders of them."""


class Contradiction(Exception):
    """Operations that cannot all have happened, and why."""

    def __init__(self, rows: Sequence[int], why: str) -> None:
        super().__init__(why)
        self.rows, self.why = rows, why


class Did(NamedTuple):
    """Operations of one kind: their rows, and the code of the value of each."""

    rows: list[int]
    codes: list[int]

    def first(self, code: int) -> int:
        """The first row with this code."""
        return self.rows[self.codes.index(code)]


@dataclass(slots=True)
class Blocks:
    """Where operations go, in parallel lists, and for each block how many positions it has."""

    row: list[int] = field(default_factory=list)
    block: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def place(self, rows: Sequence[int], block: int, positions: Sequence[int]) -> None:
        """Put each of these operations at its position of a block."""
        self.row += rows
        self.block += [block] * len(rows)
        self.position += positions


class _Told(NamedTuple):
    """The operations of one block."""

    tokens: list[Token]
    """In the order in which they were put there. The first has the position 2, the next 4, ..."""
    readers: list[int]
    positions: list[int]
    """Where each of the readers belongs: after what it saw."""


class AppendOrder:
    """The blocks of one part: what was read by those that completed, written and appended.

    Raises: Contradiction if there can be none; Ambiguous if it takes a search to tell.
    """

    def __init__(self, appends: Appends, reads: Did, writes: Did, grows: Did) -> None:
        self._all = appends
        value = appends.values.__getitem__
        written, grown = list(map(value, writes.codes)), list(map(value, grows.codes))
        self._written = dict.fromkeys(written)
        tokens = [*map(Written, written), *grown]
        self._writers = writes.rows + grows.rows
        self._writer: dict[Token, int] = dict(zip(tokens, self._writers, strict=True))
        several = len(self._writer) < len(tokens)
        self._twins = _several(tokens, self._writers) if several else {}
        self._answer = appends.answers.__getitem__
        if not appends.plain and not set(map(type, map(self._answer, reads.codes))) <= {type(appends.empty)}:
            raise Ambiguous
        self._split = Splitter(dict.fromkeys(written + grown) if written else self._writer, appends.empty)
        self._blocks = [self._told(head, seeing) for head, seeing in self._by_head(reads).items()]
        self._twins_seen = self._places_of_twins()
        self.doubtful = list(self._twins_seen)
        """The tokens that were seen and that have several writers."""

    def _by_head(self, reads: Did) -> dict[Hashable, Did]:
        """The reads of each block, by what was written, rather than appended, first; None if nothing was."""
        if not self._written:
            return {None: reads}
        by_head: dict[Hashable, Did] = {None: Did([], [])}
        for row, code in zip(*reads, strict=True):
            rows, codes = by_head.setdefault(self._head(row, self._answer(code)), Did([], []))
            rows.append(row)
            codes.append(code)
        return by_head

    def _head(self, row: int, seen: Any) -> Any:
        if not seen:
            return None
        tokens, _ = self._split(seen, 1)
        if tokens is None:
            raise Contradiction([row], _nothing(seen))
        (head,) = tokens
        if head not in self._written:
            return None
        if head in self._writer or Written(head) in self._twins:
            raise Ambiguous
        return head

    def _told(self, head: Any, reads: Did) -> _Told:
        codes = list(dict.fromkeys(reads.codes))
        answers = list(map(self._answer, codes))
        longest = max(answers, key=len, default=self._all.empty)
        at_odds = partial(self._at_odds, reads, longest)
        tokens, counted = self._split(longest)
        if tokens is None:
            raise at_odds(_nothing(longest))
        if head is not None:
            tokens[0] = Written(head)
        if not all(map(self._writer.__contains__, tokens)):
            strange = _plain(next(token for token in tokens if token not in self._writer))
            raise at_odds(f"{strange!r} was seen where nobody had put it")
        counts = list(map(counted, map(len, answers)))
        for code, seen, count in zip(codes, answers, counts, strict=True):
            if longest[: len(seen)] != seen:
                raise at_odds("neither of two answers continues the other", code)
            if count is None:
                raise at_odds("part of what was appended at once was seen", code)
        position = {code: 2 * (count or 0) + 1 for code, count in zip(codes, counts, strict=True)}
        return _Told(tokens, reads.rows, list(map(position.__getitem__, reads.codes)))

    def _at_odds(self, reads: Did, longest: Any, why: str, *codes: int) -> Contradiction:
        """The first who read each of these and the longest answer can't all be right."""
        last = next((row for row, code in zip(*reads, strict=True) if self._answer(code) == longest), START)
        return Contradiction([*map(reads.first, codes), last], why)

    def _places_of_twins(self) -> dict[Token, list[Place]]:
        """Where those tokens were seen of which there is more than one, whether writers or places."""
        told = [block.tokens for block in self._blocks]
        if not self._twins and len(set().union(*told)) == sum(map(len, told)):
            return {}
        places: dict[Token, list[Place]] = {}
        for number, block in enumerate(self._blocks):
            for at, token in enumerate(block.tokens, start=1):
                places.setdefault(token, []).append((number, 2 * at))
        for token, where in places.items():
            if len(where) > len(self.writers(token)):
                readers = [self._who_saw_most(block) for block, _ in where]
                rows = sorted({*readers, *self.writers(token)})
                raise Contradiction(rows, f"{_plain(token)!r} was seen in more places than it was put in")
        return {token: where for token, where in places.items() if token in self._twins}

    def _who_saw_most(self, block: int) -> int:
        _, readers, positions = self._blocks[block]
        return readers[positions.index(max(positions))]

    def blocks(self, told_apart: dict[Token, tuple[int, ...]] | None = None) -> Blocks:
        """All operations at their positions, given the writer of each token that has several writers."""
        blocks = Blocks(lengths=[2 * len(block.tokens) + 2 for block in self._blocks])
        chosen = {
            place: row
            for token, writers in (told_apart or {}).items()
            for place, row in zip(self._twins_seen[token], writers, strict=True)
        }
        for number, (tokens, readers, positions) in enumerate(self._blocks):
            if not tokens or not isinstance(tokens[0], Written):
                blocks.place([START], number, [0])
            writers = list(map(self._writer.__getitem__, tokens))
            where = range(2, 2 * len(tokens) + 2, 2)
            if chosen:
                writers = [
                    chosen.get((number, at), writer) for at, writer in zip(where, writers, strict=True)
                ]
            blocks.place(writers, number, where)
            blocks.place(readers, number, positions)
        placed, known = set(blocks.row), self._all.known
        for row in [row for row in self._writers if row not in placed]:
            if known[row]:  # A block by itself. Had it not completed, it need not be.
                blocks.place([row], len(blocks.lengths), [0])
                blocks.lengths.append(1)
        return blocks

    def writers(self, token: Token) -> list[int]:
        """The operations that wrote or appended the token."""
        return self._twins.get(token) or [self._writer[token]]

    def ways(self, token: Token) -> Iterator[tuple[int, ...]]:
        """The ways to fill the places of a token, but for those that the reads of the block contradict."""
        if len(self._twins[token]) > _TWINS_AT_MOST:
            raise Ambiguous
        where = self._twins_seen[token]
        for way in permutations(self._twins[token], len(where)):
            if all(self._fits(row, *place) for row, place in zip(way, where, strict=True)):
                yield way

    def _fits(self, row: int, block: int, position: int) -> bool:
        """Whether none who saw it had returned before it was invoked, nor the other way round."""
        invoked, returned = self._all.invoked, self._all.returned
        readers = np.array(self._blocks[block].readers, np.int64)
        saw_it = np.array(self._blocks[block].positions, np.int64) > position
        return bool(
            (returned[readers[saw_it]] >= invoked[row]).all()
            and (returned[row] >= invoked[readers[~saw_it]]).all()
        )


def _several(tokens: list[Token], rows: list[int]) -> dict[Token, list[int]]:
    """The tokens that occur more than once, each with its rows."""
    writers: dict[Token, list[int]] = {}
    for token, row in zip(tokens, rows, strict=True):
        writers.setdefault(token, []).append(row)
    return {token: rows for token, rows in writers.items() if len(rows) > 1}


def _nothing(seen: Any) -> str:
    return f"{seen!r:.60} is nothing that was put together"


def _plain(token: Token) -> Hashable:
    return token.value if isinstance(token, Written) else token
