"""What values a checker reads: a history that has others is not wrong, it is one for another checker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import Op


def misfit(ops: Iterable[Op], expected: str, fits: Callable[[Any], bool]) -> Verdict | None:
    """Unknown, naming the first of these ops whose value does not fit; None if all do.

    >>> misfit([Op(3, 0, "ok", 0, "read", "x")], "a whole number", is_whole).why
    "op 3 (read, ok): expected a whole number, got 'x'"
    """
    for op in ops:
        if not fits(op.value):
            got = repr(op.value)
            shown = got if len(got) <= 60 else got[:57] + "..."
            return Verdict.unknown(f"op {op.index} ({op.f}, {op.type}): expected {expected}, got {shown}")
    return None


def is_whole(value: Any) -> bool:
    """A whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list(value: Any) -> bool:
    """A list, or null for one that is empty."""
    return value is None or isinstance(value, list | tuple)


def is_pair(value: Any) -> bool:
    """A list of two."""
    return isinstance(value, list | tuple) and len(value) == 2


def is_plain(value: Any) -> bool:
    """A number, a string, true, false or null."""
    return value is None or isinstance(value, str | int | float)
