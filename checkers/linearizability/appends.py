"""Operations on a sequence as lists: reads of all of it, writes and appends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harness.history.columns import INFO, Columns

READ: Final = 0
WRITE: Final = 1
APPEND: Final = 2


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
