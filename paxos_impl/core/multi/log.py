"""The log: what a replica voted for, and knows to be chosen, in every slot. A value like any other.

A changed log shares with the one before it all but one page and the table of pages. What lies at or below
its base is gone: a snapshot has the state up to there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ostrakon.paxos_impl.core.ballot import Vote

FIRST = 1
"""The first slot of a log; 0 stands before it."""

_PAGE = 64


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One slot."""

    accepted: Vote | None = None
    """The own vote of the highest ballot."""
    chosen: Vote | None = None


EMPTY = Cell()
_Page = tuple[Cell, ...]
_BLANK: _Page = (EMPTY,) * _PAGE


class Log(msgspec.Struct, frozen=True, gc=False):
    """Cells by slot; those never written are empty, and so are those that are gone."""

    pages: tuple[_Page, ...] = ()
    """From the page of the first slot above the base on."""
    top: int = FIRST - 1
    """The highest slot ever written."""
    base: int = FIRST - 1
    """Slots up to this one are gone."""

    @classmethod
    def of(cls, cells: Mapping[int, Cell], base: int = FIRST - 1) -> Log:
        """A log of many cells at once; those up to `base` are left out."""
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
        """The log without this slot and all below."""
        if commit_index <= self.base:
            return self
        gone = _first_page(commit_index) - _first_page(self.base)
        return Log(self.pages[gone:], max(self.top, commit_index), commit_index)

    def votes_from(self, slot: int) -> Iterator[tuple[int, Vote]]:
        """The own votes in this slot and all above, in order."""
        for each in range(max(slot, self.base + 1), self.top + 1):
            if (vote := self[each].accepted) is not None:
                yield each, vote


def _first_page(base: int) -> int:
    """The number of the page that holds the first slot above the base."""
    return (base + 1) // _PAGE
