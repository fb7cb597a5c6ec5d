"""Operations on a register as arrays: reads, writes and compare-and-swaps of values that are small codes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ostrakon.harness.history import UnsuitableHistory
from ostrakon.harness.history.columns import FAIL, INFO, Columns, Ints, Mask
from ostrakon.harness.history.value import freeze

READ: Final = 0
DIFFERS: Final = 1
"""A compare-and-swap that found another value than it expected."""
WRITE: Final = 2
SWAP: Final = 3
"""A compare-and-swap that found what it expected, or an unknown one."""

INITIAL: Final = 0
"""The code of the value that a register starts with."""


@dataclass(frozen=True, slots=True, eq=False)
class RegisterColumns:
    """Parallel arrays, one entry per row of the columns they were made from."""

    kind: Ints
    expected: Ints
    """The value that was seen, or had to be: of READ, DIFFERS (where it was not seen) and SWAP."""
    written: Ints
    """The value that was written: of WRITE and SWAP."""
    invoked: Ints
    returned: Ints
    known: Mask

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: Ints | Mask) -> RegisterColumns:
        """These rows only."""
        return RegisterColumns(
            self.kind[rows], self.expected[rows], self.written[rows],
            self.invoked[rows], self.returned[rows], self.known[rows],
        )  # fmt: skip


def register_of(
    *,
    read: tuple[str, ...],
    write: tuple[str, ...],
    cas: tuple[str, ...] = (),
    initial: Hashable = None,
    nil: Hashable = None,
) -> Callable[[Columns], RegisterColumns]:
    """How columns become registers, if these are the functions that read, write and compare-and-swap.

    `nil` is a value that counts as the same as None.
    """

    initial, nil = freeze(initial), freeze(nil)

    def registers(columns: Columns) -> RegisterColumns:
        reads, swaps = columns.is_f(*read), columns.is_f(*cas)
        expected = np.where(reads, columns.result, INITIAL)
        written = np.where(reads, INITIAL, columns.argument)
        if cas:
            expected[swaps], written[swaps] = _pairs(columns, swaps, nil)
        kind = np.where(reads, READ, WRITE)
        kind[swaps] = np.where(columns.outcome[swaps] == FAIL, DIFFERS, SWAP)
        if nil is not None and nil in columns.values:
            code = columns.values.index(nil)
            expected, written = (np.where(codes == code, INITIAL, codes) for codes in (expected, written))
        if initial is not None:
            expected, written = _start_with(initial, columns, expected, written)
        return RegisterColumns(
            kind, expected, written, columns.invoked, columns.returned, columns.outcome != INFO
        )

    return registers


def _pairs(columns: Columns, rows: Mask, nil: Hashable) -> tuple[Ints, Ints]:
    """Codes of what compare-and-swaps expect and of what they write; `nil` has that of None."""
    asked = columns.argument[rows]
    is_asked = np.zeros(len(columns.values), bool)
    is_asked[asked] = True
    table = {value: code for code, value in enumerate(columns.values)} | {nil: INITIAL}
    old_of, new_of = np.zeros((2, len(columns.values)), np.int64)
    for code in np.flatnonzero(is_asked).tolist():
        match columns.values[code]:
            case (old, new):
                old_of[code] = table.setdefault(old, len(table))
                new_of[code] = table.setdefault(new, len(table))
            case other:
                at = columns.invoked[rows & (columns.argument == code)][0]
                raise UnsuitableHistory(f"op {at}: the value of a cas is {other!r}, expected [old, new]")
    return old_of[asked], new_of[asked]


def _start_with(initial: Hashable, columns: Columns, *arrays: Ints) -> list[Ints]:
    """The same codes with those of `initial` and None in each other's place."""
    try:
        code = columns.values.index(initial)
    except ValueError:
        code = 1 + max(max(int(array.max(initial=0)) for array in arrays), len(columns.values))
    return [np.where(array == INITIAL, code, np.where(array == code, INITIAL, array)) for array in arrays]
