"""How many operations of each class have been used, packed into one number that compares quickly."""

from __future__ import annotations

from collections.abc import Sequence


class Tally:
    """A vector of small counts: a field of bits for each, with a guard bit above."""

    def __init__(self, highest: Sequence[int]) -> None:
        """`highest` is as far as each count can go."""
        self.unit: list[int] = []
        """What to add to count one up."""
        self._shift: list[int] = []
        self._field: list[int] = []
        self._guards, at = 0, 0
        for count in highest:
            width = count.bit_length()
            self.unit.append(1 << at)
            self._shift.append(at)
            self._field.append((1 << width) - 1)
            self._guards |= 1 << at + width
            at += width + 1

    def count(self, tally: int, which: int) -> int:
        """How many of one class."""
        return tally >> self._shift[which] & self._field[which]

    def within(self, tally: int, other: int) -> bool:
        """Whether no count is higher than in the other."""
        return (other | self._guards) - tally & self._guards == self._guards
