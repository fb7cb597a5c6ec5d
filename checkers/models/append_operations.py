"""Operations on a sequence as arrays: reads of all of it, writes and appends."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ostrakon.harness.history.columns import INFO, Columns, Ints, Mask

READ: Final = 0
WRITE: Final = 1
APPEND: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Appends:
    """Operations on one or several sequences: parallel arrays, one entry per row of the columns."""

    kind: Ints
    code: Ints
    """What was read, written or appended, into `values`."""
    invoked: Ints
    returned: Ints
    known: Mask
    values: tuple[Hashable, ...]
    answers: list[Any]
    """The same, with what a read means by None: what there is at first."""
    empty: str | tuple[()]
    """What there is at first."""

    plain: bool
    """Whether nothing but sequences was read, and nothing was put together that can't be."""


def appends_of(
    *, read: tuple[str, ...], write: tuple[str, ...], append: tuple[str, ...], empty: str | tuple[()]
) -> Callable[[Columns], Appends | None]:
    """How columns become appends, if these are the functions that read, write and append."""

    def appends(columns: Columns) -> Appends | None:
        is_read, is_write, is_append = columns.is_f(*read), columns.is_f(*write), columns.is_f(*append)
        if not (is_read | is_write | is_append).all():
            return None
        code = np.where(is_read, columns.result, columns.argument)
        answers = [empty if value is None else value for value in columns.values]
        told = answers if isinstance(empty, str) else map(answers.__getitem__, code[is_read].tolist())
        return Appends(
            kind=np.where(is_read, READ, np.where(is_write, WRITE, APPEND)),
            code=code,
            invoked=columns.invoked, returned=columns.returned, known=columns.outcome != INFO,
            values=columns.values, answers=answers, empty=empty,
            plain=set(map(type, told)) <= {type(empty)},
        )  # fmt: skip

    return appends
