"""Cutting a history into parts that can be decided one by one: one for each object.

A history is linearizable if what happened to each of its objects is (M. Herlihy and J. Wing,
"Linearizability: a correctness condition for concurrent objects", TOPLAS 12, 1990, theorem 1).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np

from ostrakon.checkers.models.append_operations import Appends
from ostrakon.checkers.models.model import Model, operations
from ostrakon.checkers.models.register_operations import RegisterColumns
from ostrakon.harness.history import FailMeans, UnsuitableHistory
from ostrakon.harness.history.columns import FAIL, Columns, Ints, numbered


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The operations of a history, divided by object."""

    columns: Columns
    """The operations that may have happened, with values as the object sees them."""
    part: Ints
    """The number of the part of each row."""
    keys: tuple[Hashable, ...]
    """The key of each part."""
    registers: RegisterColumns | None
    """The operations as those of registers, where they are nothing else."""
    appends: Appends | None
    """The same for sequences that grow by appending, where they are no registers."""

    def rows(self) -> list[Ints]:
        """The rows of each part."""
        if len(self.keys) == 1:
            return [np.arange(len(self.part))]
        ordered = np.argsort(self.part, kind="stable")
        return np.split(ordered, np.cumsum(np.bincount(self.part, minlength=len(self.keys)))[:-1])


def whole(columns: Columns, model: Model) -> Parts:
    """Columns of one object, of which every row counts."""
    return _parts(columns, np.zeros(len(columns), np.int64), (None,), model)


def parts_of(columns: Columns, model: Model, fail_means: FailMeans) -> Parts:
    """The operations that count, by object. Raises: UnsuitableHistory."""
    _require_known(columns, model)
    failed = columns.outcome == FAIL
    if fail_means == "compared unequal":
        failed &= ~columns.is_f(*model.compares)
    if failed.any():
        columns = columns.take(~failed)
    if model.keyed:
        return _by_key(columns, model)
    if model.key is not None:
        return _by_hint(columns, model)
    return whole(columns, model)


def _parts(columns: Columns, part: Ints, keys: tuple[Hashable, ...], model: Model) -> Parts:
    registers = model.registers(columns) if model.registers else None
    appends = model.appends(columns) if model.appends and registers is None else None
    return Parts(columns, part, keys, registers, appends)


def _require_known(columns: Columns, model: Model) -> None:
    if model.fs is None:
        return
    strange = ~columns.is_f(*model.fs)
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        raise UnsuitableHistory(
            f"op {columns.invoked[row]}: f is {columns.fs[columns.f[row]]!r}; "
            f"the model {model.name!r} knows {', '.join(sorted(model.fs))}"
        )


_NO_KEY: Final = object()
_NO_PAIR: Final = (_NO_KEY, None)


def _by_key(columns: Columns, model: Model) -> Parts:
    pairs = [value if type(value) is tuple and len(value) == 2 else _NO_PAIR for value in columns.values]
    keys, part_of = numbered([key for key, _ in pairs])
    inner, code_of = numbered([rest for _, rest in pairs])
    # None, which is nothing asked for or answered, is the first of the values, and thus the first no pair.
    part, answered = part_of[columns.argument], part_of[columns.result]
    wrong = (part == 0) | ((answered != part) & (columns.result != 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        found = columns.values[columns.argument[row] if part[row] == 0 else columns.result[row]]
        raise UnsuitableHistory(
            f"op {columns.invoked[row]}: the value is {found!r}, "
            "expected [key, value], with the same key when it returns"
        )
    unwrapped = replace(
        columns, argument=code_of[columns.argument], result=code_of[columns.result], values=inner
    )
    used = np.zeros(len(keys), bool)
    used[part] = True
    names = tuple(compress(keys, used.tolist()))
    return _parts(unwrapped, (np.cumsum(used) - 1)[part], names or (None,), model)


def _by_hint(columns: Columns, model: Model) -> Parts:
    assert model.key is not None
    keys = [model.key(op) for op in operations(columns)]
    if None in keys:
        return whole(columns, model)
    numbers: dict[Hashable, int] = {}
    part = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    return _parts(columns, part, tuple(numbers) or (None,), model)
