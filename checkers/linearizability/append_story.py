"""What the answers to reads tell about a sequence that grows by appending: who comes after whom.

What is appended, a *token*, is an element of a list or a part of a string. A block is a write, or the
beginning, with the appends that were seen after it and the reads that saw them. Each answer names all that
was appended before; so the longest one gives the order in which its block came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Final

from checkers.linearizability.appends import APPEND, READ, WRITE, Appends
from checkers.linearizability.splitter import Ambiguous, Splitter
from checkers.linearizability.zones import START

Token = tuple[int, Any]
"""A value, and whether it is one of WRITE or of APPEND."""
Place = tuple[int, int]
"""A block and a position in it."""

_TWINS_AT_MOST: Final = 6
"""Writers of one token: there are as many ways to tell them apart as orders of them."""


def _length(read: tuple[int, Any]) -> int:
    return len(read[1])


class Contradiction(Exception):
    """Operations that can't all be, and why."""

    def __init__(self, rows: Sequence[int], why: str) -> None:
        super().__init__(why)
        self.rows, self.why = rows, why


@dataclass(slots=True)
class Blocks:
    """Where operations go, in parallel lists, and for each block how many positions it has."""

    row: list[int] = field(default_factory=list)
    block: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def place(self, row: int, block: int, position: int) -> None:
        """Put an operation there."""
        self.row.append(row)
        self.block.append(block)
        self.position.append(position)


class Story:
    """The blocks of one part.

    Raises: Contradiction if there can be none; Ambiguous if it takes a search to tell.
    """

    def __init__(self, appends: Appends, rows: Sequence[int]) -> None:
        self._all = appends
        self._empty = appends.empty
        self._writers: dict[Token, list[int]] = {}
        kind, value, known = appends.kind, appends.value, appends.known
        reads: list[tuple[int, Any]] = []
        for row in rows:
            if kind[row] != READ:
                self._writers.setdefault((kind[row], value[row]), []).append(row)
            elif known[row]:
                reads.append((row, self._empty if value[row] is None else value[row]))
        if {type(seen) for _, seen in reads} - {type(self._empty)}:
            raise Ambiguous
        self._split = Splitter([token for _, token in self._writers], self._empty)
        self._tokens: list[list[Token]] = []
        """By block: what was written and appended."""
        self._seen: list[list[tuple[int, int]]] = []
        """By block: a read and how many tokens it saw."""
        for head, seeing in self._by_head(reads).items():
            self._tell_block(head, seeing)
        self._places = self._places_of_tokens()
        self.doubtful = [token for token in self._places if len(self._writers[token]) > 1]
        """The tokens that were seen and that have several writers."""

    def _by_head(self, reads: list[tuple[int, Any]]) -> dict[Any, list[tuple[int, Any]]]:
        """The reads of each block, by what was written, rather than appended, first; None if nothing was."""
        written = {token for kind, token in self._writers if kind == WRITE}
        if not written:
            return {None: reads}
        by_head: dict[Any, list[tuple[int, Any]]] = {None: []}
        for row, seen in reads:
            by_head.setdefault(self._head(row, seen, written), []).append((row, seen))
        return by_head

    def _head(self, row: int, seen: Any, written: set[Any]) -> Any:
        if not seen:
            return None
        (head, *_), _ = self._take_apart(row, seen, 1)
        if head not in written:
            return None
        if (APPEND, head) in self._writers or len(self._writers[WRITE, head]) > 1:
            raise Ambiguous
        return head

    def _tell_block(self, head: Any, seeing: list[tuple[int, Any]]) -> None:
        last, longest = max(seeing, key=_length, default=(START, self._empty))
        tokens, ends = self._take_apart(last, longest)
        told = [(APPEND, token) for token in tokens]
        if head is not None:
            told[0] = (WRITE, head)
        for kind, token in told:
            if (kind, token) not in self._writers:
                raise Contradiction([last], f"{token!r} was seen where nobody had put it")
        counts: dict[Any, int] = {}
        for row, seen in seeing:
            if seen not in counts:
                if longest[: len(seen)] != seen:
                    raise Contradiction([row, last], "neither of two answers continues the other")
                if len(seen) not in ends:
                    raise Contradiction([row, last], "part of what was appended at once was seen")
                counts[seen] = ends[len(seen)]
        self._tokens.append(told)
        self._seen.append([(row, counts[seen]) for row, seen in seeing])

    def _take_apart(
        self, row: int, seen: Any, at_most: int | None = None
    ) -> tuple[list[Any], dict[int, int]]:
        tokens, ends = self._split(seen, at_most)
        if tokens is None:
            raise Contradiction([row], f"{seen!r:.60} is nothing that was put together")
        return tokens, ends

    def _places_of_tokens(self) -> dict[Token, list[Place]]:
        places: dict[Token, list[Place]] = {}
        for block, tokens in enumerate(self._tokens):
            for at, token in enumerate(tokens, start=1):
                places.setdefault(token, []).append((block, 2 * at))
        for token, where in places.items():
            if len(where) > len(self._writers[token]):
                readers = [max(self._seen[block], key=lambda seen: seen[1])[0] for block, _ in where]
                rows = sorted({*readers, *self._writers[token]})
                raise Contradiction(rows, f"{token[1]!r} was seen in more places than it was put in")
        return places

    def blocks(self, told_apart: dict[Token, tuple[int, ...]] | None = None) -> Blocks:
        """Everything in its place, given who wrote those tokens that have several writers."""
        blocks = Blocks(lengths=[2 * len(tokens) + 2 for tokens in self._tokens])
        for block, (tokens, seen) in enumerate(zip(self._tokens, self._seen, strict=True)):
            if not tokens or tokens[0][0] == APPEND:
                blocks.place(START, block, 0)
            blocks.row += [row for row, _ in seen]
            blocks.block += [block] * len(seen)
            blocks.position += [2 * count + 1 for _, count in seen]
        known, places = self._all.known, self._places
        add_row, add_block, add_position = blocks.row.append, blocks.block.append, blocks.position.append
        for token, writers in self._writers.items():
            where = places.get(token, ())
            by = told_apart.get(token, writers) if told_apart else writers
            for writer, (block, position) in zip(by, where, strict=False):
                add_row(writer)
                add_block(block)
                add_position(position)
            if len(where) < len(writers):  # Unseen: a block by itself, unless it may never have happened.
                used = by[: len(where)]
                for row in writers:
                    if known[row] and row not in used:
                        blocks.place(row, len(blocks.lengths), 0)
                        blocks.lengths.append(1)
        return blocks

    def writers(self, token: Token) -> list[int]:
        """Who wrote or appended it."""
        return self._writers[token]

    def ways(self, token: Token) -> Iterator[tuple[int, ...]]:
        """The ways to fill the places of a token, but for those that the reads of the block contradict."""
        if len(self._writers[token]) > _TWINS_AT_MOST:
            raise Ambiguous
        where = self._places[token]
        for way in permutations(self._writers[token], len(where)):
            if all(self._fits(row, *place) for row, place in zip(way, where, strict=True)):
                yield way

    def _fits(self, row: int, block: int, position: int) -> bool:
        invoked, returned = self._all.invoked, self._all.returned
        return all(
            returned[read] >= invoked[row] if 2 * count >= position else returned[row] >= invoked[read]
            for read, count in self._seen[block]
        )
