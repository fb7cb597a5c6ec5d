"""The log of one replica: by slot, its own vote and what it knows to be chosen.

A log is a persistent data structure: a changed log shares all but one page, and the table of pages, with the
one before it. So states can be kept and compared, and a change does not copy the whole log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ostrakon.paxos_impl.core.ballot import Vote

FIRST = 1
"""The first slot of a log. 0 is the slot before it."""

_PAGE = 64


class Cell(msgspec.Struct, frozen=True, gc=False):
    """What a replica knows of one slot."""

    accepted: Vote | None = None
    """The replica's own vote of the highest ballot."""
    chosen: Vote | None = None


EMPTY = Cell()
_Page = tuple[Cell, ...]
_BLANK: _Page = (EMPTY,) * _PAGE


class Log(msgspec.Struct, frozen=True, gc=False):
    """Cells by slot. Cells that were never written, and cells that were dropped, are empty."""

    pages: tuple[_Page, ...] = ()
    """The pages from that of the first slot above `base` on."""
    top: int = FIRST - 1
    """The highest slot ever written."""
    base: int = FIRST - 1
    """The last slot that was dropped; a snapshot has what came of it."""

    @classmethod
    def of(cls, cells: Mapping[int, Cell], base: int = FIRST - 1) -> Log:
        """A log of these cells. Those up to `base` are left out."""
        top, first = max(cells, default=base), _first_page(base)
        rows = [[EMPTY] * _PAGE for _ in range(first, top // _PAGE + 1 if top > base else first)]
        for slot, cell in cells.items():
            if slot > base:
                rows[slot // _PAGE - first][slot % _PAGE] = cell
        return cls(tuple(map(tuple, rows)), max(top, base), base)

    def __getitem__(self, slot: int) -> Cell:
        """The cell of a slot."""
        page = slot // _PAGE - _first_page(self.base)
        return self.pages[page][slot % _PAGE] if 0 <= page < len(self.pages) and slot > self.base else EMPTY

    def put(self, slot: int, cell: Cell) -> Log:
        """The log with this cell in a slot."""
        assert slot > self.base, f"slot {slot} is gone: a snapshot goes up to {self.base}"
        number, at = divmod(slot, _PAGE)
        number -= _first_page(self.base)
        pages = self.pages + (_BLANK,) * (number + 1 - len(self.pages))
        page = (*pages[number][:at], cell, *pages[number][at + 1 :])
        return Log((*pages[:number], page, *pages[number + 1 :]), max(self.top, slot), self.base)

    def without(self, commit_index: int) -> Log:
        """The log without this slot and all below it."""
        if commit_index <= self.base:
            return self
        gone = _first_page(commit_index) - _first_page(self.base)
        return Log(self.pages[gone:], max(self.top, commit_index), commit_index)

    def votes_from(self, slot: int) -> Iterator[tuple[int, Vote]]:
        """The replica's own votes in this slot and all above it, in order."""
        for each in range(max(slot, self.base + 1), self.top + 1):
            if (vote := self[each].accepted) is not None:
                yield each, vote


def _first_page(base: int) -> int:
    """The number of the page that holds the first slot above the base."""
    return (base + 1) // _PAGE
