"""The ledger: what a replica voted for, and knows to be chosen, in every slot. A value like any other.

A changed ledger shares with the one before it all but one page and the table of pages.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from paxos_impl.core.ballot import Vote

FIRST = 1
"""The first slot of a log; 0 stands before it."""

_PAGE = 64


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One slot."""

    accepted: Vote | None = None
    """The own vote of the highest ballot."""
    chosen: Vote | None = None


EMPTY = Cell()
_BLANK = (EMPTY,) * _PAGE


class Ledger(msgspec.Struct, frozen=True, gc=False):
    """Cells by slot; those never written are empty."""

    pages: tuple[tuple[Cell, ...], ...] = ()
    top: int = FIRST - 1
    """The highest slot ever written."""

    def __getitem__(self, slot: int) -> Cell:
        """The cell of a slot."""
        page = slot // _PAGE
        return self.pages[page][slot % _PAGE] if page < len(self.pages) else EMPTY

    def put(self, slot: int, cell: Cell) -> Ledger:
        """The ledger with this cell in a slot."""
        assert slot >= FIRST, f"there is no slot {slot}"
        number, at = divmod(slot, _PAGE)
        pages = self.pages + (_BLANK,) * (number + 1 - len(self.pages))
        page = (*pages[number][:at], cell, *pages[number][at + 1 :])
        return Ledger((*pages[:number], page, *pages[number + 1 :]), max(self.top, slot))

    def votes_from(self, slot: int) -> Iterator[tuple[int, Vote]]:
        """The own votes in this slot and all above, in order."""
        for each in range(slot, self.top + 1):
            if (vote := self[each].accepted) is not None:
                yield each, vote
