"""Placing the operations on sequences that grow by appending: each answer names all that was appended before.

What is appended, a *token*, is an element of a list or a part of a string. A block is a write, or the
beginning, with the appends that were seen after it and the reads that saw them. If some tokens were appended
more than once, as by clients that start to count anew after a crash, all ways to tell which is which are
tried, as long as they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations, product
from math import prod
from typing import Any, Final

import numpy as np

from checkers.linearizability.decision import Decision, Impossible, Linearized
from checkers.linearizability.zones import START, Placement, settle
from harness.history.columns import INFO, Columns

READ: Final = 0
WRITE: Final = 1
APPEND: Final = 2

_WAYS_AT_MOST: Final = 4096
_TWINS_AT_MOST: Final = 6
"""Writers of one token: there are as many ways to tell them apart as orders of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Appends:
    """Operations on one or several sequences, in parallel lists."""

    kind: list[int]
    value: list[Any]
    """What was read, written or appended."""
    invoked: list[int]
    returned: list[int]
    known: list[bool]
    empty: str | tuple[()]
    """What there is at first, and what `None` means."""


def appends_of(
    *, read: tuple[str, ...], write: tuple[str, ...], append: tuple[str, ...], empty: str | tuple[()]
) -> Callable[[Columns], Appends | None]:
    """How columns become appends, if these are the functions that read, write and append."""

    def appends(columns: Columns) -> Appends | None:
        is_read, is_write, is_append = columns.is_f(*read), columns.is_f(*write), columns.is_f(*append)
        if not (is_read | is_write | is_append).all():
            return None
        kind = np.where(is_read, READ, np.where(is_write, WRITE, APPEND))
        values = columns.values
        return Appends(
            kind.tolist(),
            [values[code] for code in np.where(is_read, columns.result, columns.argument).tolist()],
            columns.invoked.tolist(), columns.returned.tolist(), (columns.outcome != INFO).tolist(), empty,
        )  # fmt: skip

    return appends


@dataclass(slots=True)
class _Blocks:
    """Where operations go: (row, block, position), and for each block how long it is."""

    placed: list[tuple[int, int, int]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def begin(self, tokens: int) -> int:
        self.lengths.append(2 * tokens + 2)
        return len(self.lengths) - 1

    def alone(self, row: int) -> None:
        self.lengths.append(1)
        self.placed.append((row, len(self.lengths) - 1, 0))


class _Ambiguous(Exception):
    """It takes a search to tell."""


class _Contradiction(Exception):
    """Operations that can't both be, and why."""

    def __init__(self, rows: Sequence[int], why: str) -> None:
        super().__init__(why)
        self.rows, self.why = rows, why


def decide_appends(appends: Appends, parts: Sequence[Sequence[int]]) -> list[Decision | None]:
    """Decide for the rows of each part; None where that would take a search."""
    decisions: list[Decision | None] = [None] * len(parts)
    several = _Several(appends)
    for number, rows in enumerate(parts):
        try:
            story = _Story(appends, rows)
            if story.doubtful:
                decisions[number] = story.try_all_ways()
            else:
                several.add(number, story.blocks())
        except _Contradiction as found:
            decisions[number] = Impossible(np.array(found.rows), found.why)
        except _Ambiguous:
            pass
    for number, decision in several.settled().items():
        decisions[number] = decision
    return decisions


class _Several:
    """The blocks of several parts, to be settled at once."""

    def __init__(self, appends: Appends) -> None:
        # At the end, where the row START points, stands the beginning.
        self._invoked = np.array([*appends.invoked, START - 1])
        self._returned = np.array([*appends.returned, START])
        self._rows: list[tuple[int, int, int]] = []
        self._lengths: list[int] = []
        self._part: list[int] = []
        self._parts: list[int] = []

    def add(self, number: int, blocks: _Blocks) -> None:
        first = len(self._lengths)
        self._rows += [(row, first + block, position) for row, block, position in blocks.placed]
        self._lengths += blocks.lengths
        self._part += [len(self._parts)] * len(blocks.lengths)
        self._parts.append(number)

    def settled(self) -> dict[int, Decision]:
        if not self._rows:
            return {}
        row, block, position = np.array(self._rows).T
        lengths = np.array(self._lengths)
        begins = np.cumsum(lengths) - lengths
        part = np.array(self._part)
        placement = Placement(
            row,
            begins[block] + position,
            self._invoked[row],
            self._returned[row],
            np.repeat(np.arange(len(lengths)), lengths),
            part,
        )
        settled = settle(placement)
        part_of_row = dict(zip(row.tolist(), part[block].tolist(), strict=True))
        orders: dict[int, list[int]] = {number: [] for number in self._parts}
        for each in settled.order.tolist():
            orders[self._parts[part_of_row[each]]].append(each)
        decisions: dict[int, Decision] = {
            number: Linearized(np.array(o, np.int64)) for number, o in orders.items()
        }
        return decisions | {self._parts[part]: found for part, found in settled.impossible.items()}


class _Story:
    """What the answers of one part tell: for each block the longest sequence seen, and who saw how much."""

    def __init__(self, appends: Appends, rows: Sequence[int]) -> None:
        self._all = appends
        self._writers: dict[tuple[int, Any], list[int]] = {}
        self._unseen: list[int] = []
        reads: list[int] = []
        for row in rows:
            if appends.kind[row] != READ:
                self._writers.setdefault((appends.kind[row], appends.value[row]), []).append(row)
            elif appends.known[row]:
                reads.append(row)
        self._split = _Splitter([value for _, value in self._writers], appends.empty)
        self._rows = rows
        self._tokens: list[list[tuple[int, Any]]] = []
        """By block: kind and token of what was written and appended."""
        self._seen: list[list[tuple[int, int]]] = []
        """By block: a read and how many tokens it saw."""
        self._tell_blocks(reads)
        self.doubtful = self._twins()

    def _tell_blocks(self, reads: list[int]) -> None:
        by_head: dict[Any, list[int]] = {None: []}
        for row in reads:
            by_head.setdefault(self._head(row), []).append(row)
        for head, seeing in by_head.items():
            longest = max((self._value(row) for row in seeing), key=len, default=self._all.empty)
            tokens, ends = self._take_apart(seeing, longest)
            kinds = [APPEND if head is None or at else WRITE for at in range(len(tokens))]
            told = list(zip(kinds, tokens, strict=True))
            for kind, token in told:
                if (kind, token) not in self._writers:
                    raise _Contradiction(
                        self._who_saw(seeing, longest), f"{token!r} was seen where nobody had put it"
                    )
            self._tokens.append(told)
            self._seen.append([(row, self._count(row, longest, ends, seeing)) for row in seeing])

    def _head(self, row: int) -> Any:
        """The token that was written, rather than appended, before what was seen; None if none was."""
        seen = self._value(row)
        if not any(kind == WRITE for kind, _ in self._writers) or not seen:
            if not seen and (WRITE, self._all.empty) in self._writers:
                raise _Ambiguous
            return None
        head = self._take_apart([row], seen, 1)[0][0]
        if (WRITE, head) not in self._writers:
            return None
        if (APPEND, head) in self._writers or len(self._writers[WRITE, head]) > 1:
            raise _Ambiguous
        return head

    def _value(self, row: int) -> Any:
        value, empty = self._all.value[row], self._all.empty
        if value is not None and type(value) is not type(empty):
            raise _Ambiguous
        return empty if value is None else value

    def _take_apart(
        self, seeing: list[int], seen: Any, at_most: int | None = None
    ) -> tuple[list[Any], dict[int, int]]:
        tokens, ends = self._split(seen, at_most)
        if tokens is None:
            raise _Contradiction(
                self._who_saw(seeing, seen), f"{seen!r:.60} is nothing that was put together"
            )
        return tokens, ends

    def _who_saw(self, seeing: list[int], value: Any) -> list[int]:
        return [next(row for row in seeing if self._value(row) == value)]

    def _count(self, row: int, longest: Any, ends: dict[int, int], seeing: list[int]) -> int:
        seen = self._value(row)
        if longest[: len(seen)] != seen:
            raise _Contradiction(
                [row, *self._who_saw(seeing, longest)], "neither of two answers continues the other"
            )
        if len(seen) not in ends:
            raise _Contradiction(
                [row, *self._who_saw(seeing, longest)], "part of what was appended at once was seen"
            )
        return ends[len(seen)]

    def _twins(self) -> list[tuple[Any, list[tuple[int, int]]]]:
        """The tokens with several writers, and where they were seen: block and position."""
        places: dict[tuple[int, Any], list[tuple[int, int]]] = {}
        for block, tokens in enumerate(self._tokens):
            for at, token in enumerate(tokens, start=1):
                places.setdefault(token, []).append((block, 2 * at))
        for token, where in places.items():
            if len(where) > len(self._writers[token]):
                rows = [row for block, _ in where for row, _ in self._seen[block]][:2] + self._writers[token]
                raise _Contradiction(rows, f"{token[1]!r} was seen in more places than it was put in")
        self._places = places
        return [(token, where) for token, where in places.items() if len(self._writers[token]) > 1]

    def blocks(self, told_apart: dict[Any, tuple[int, ...]] | None = None) -> _Blocks:
        """Everything in its place, given who wrote those tokens that have several writers."""
        blocks, told_apart = _Blocks(), told_apart or {}
        used = set()
        for tokens, seen in zip(self._tokens, self._seen, strict=True):
            block = blocks.begin(len(tokens))
            if not tokens or tokens[0][0] == APPEND:
                blocks.placed.append((START, block, 0))
            blocks.placed += [(row, block, 2 * count + 1) for row, count in seen]
        for token, where in self._places.items():
            for row, (block, position) in zip(
                told_apart.get(token, self._writers[token]), where, strict=False
            ):
                blocks.placed.append((row, block, position))
                used.add(row)
        for rows in self._writers.values():
            for row in rows:
                if row not in used and self._all.known[row]:
                    blocks.alone(row)
        return blocks

    def try_all_ways(self) -> Decision | None:
        """Try each way to tell equal tokens apart. It is impossible if all are."""
        tokens = [token for token, _ in self.doubtful]
        ways = [list(self._ways(token, where)) for token, where in self.doubtful]
        if prod(map(len, ways)) > _WAYS_AT_MOST:
            return None
        decision: Decision | None = None
        for way in product(*ways):
            several = _Several(self._all)
            several.add(0, self.blocks(dict(zip(tokens, way, strict=True))))
            decision = several.settled()[0]
            if isinstance(decision, Linearized):
                return decision
        if decision is None:
            row = next(
                self._writers[token][0] for (token, _), w in zip(self.doubtful, ways, strict=True) if not w
            )
            return Impossible(np.array([row]), "nobody who wrote this can have written what was seen")
        return decision

    def _ways(self, token: Any, where: list[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
        """The ways to fill these places, except those that contradict the reads of the same block."""
        writers = self._writers[token]
        if len(writers) > _TWINS_AT_MOST:
            raise _Ambiguous
        for way in permutations(writers, len(where)):
            if all(self._fits(row, *place) for row, place in zip(way, where, strict=True)):
                yield way

    def _fits(self, row: int, block: int, position: int) -> bool:
        invoked, returned = self._all.invoked, self._all.returned
        return all(
            returned[read] >= invoked[row] if 2 * count >= position else returned[row] >= invoked[read]
            for read, count in self._seen[block]
        )


class _Splitter:
    """Takes sequences apart into the tokens they were put together from.

    Raises: _Ambiguous if there could be more than one way to do it.
    """

    def __init__(self, tokens: list[Any], empty: Any) -> None:
        self._tokens = set(tokens)
        self._strings = isinstance(empty, str)
        if self._strings:
            if "" in self._tokens or not all(isinstance(token, str) for token in tokens):
                raise _Ambiguous
            ordered = sorted(self._tokens)
            if any(longer.startswith(token) for token, longer in pairwise(ordered)):
                raise _Ambiguous
            self._lengths = sorted({len(token) for token in tokens})

    def __call__(self, whole: Any, at_most: int | None = None) -> tuple[list[Any] | None, dict[int, int]]:
        """The tokens, and how many there are up to each length; no tokens if it can't be done."""
        if not self._strings:
            return list(whole[:at_most]), {count: count for count in range(len(whole) + 1)}
        tokens: list[Any] = []
        ends, at = {0: 0}, 0
        while at < len(whole) and len(tokens) != at_most:
            candidates = (whole[at : at + length] for length in self._lengths)
            token = next((candidate for candidate in candidates if candidate in self._tokens), None)
            if token is None:
                return None, ends
            tokens.append(token)
            at += len(token)
            ends[at] = len(tokens)
        return tokens, ends
