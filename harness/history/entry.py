"""An op as others than this project write it down: a map with Jepsen's fields."""

from __future__ import annotations

from collections.abc import Sequence
from operator import lt
from typing import Any, Final, get_args

import msgspec

from ostrakon.harness.history.op import NEMESIS, Op, OpType

_TYPES: Final = get_args(OpType)


def op_of(entry: Any, index: int) -> Op:
    """An op from a map with Jepsen's fields, in which only the type must be; its index is given.

    Raises: ValueError, which names the field.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"expected an op, a map with :type, :process, :f and :value; found {entry!r:.80}")
    kind = _name(entry.get("type"))
    if kind not in _TYPES:
        raise ValueError(f"type is {kind!r}, expected one of {', '.join(_TYPES)}")
    process = _name(entry.get("process", 0))
    if process != NEMESIS and type(process) is not int:
        raise ValueError(f"process is {process!r}, expected an integer or {NEMESIS}")
    time = entry.get("time", index)
    if type(time) is not int:
        raise ValueError(f"time is {time!r}, expected nanoseconds, an integer")
    value = entry.get("value")
    if "key" in entry:
        value = [entry["key"], value]
    return Op(
        index=index, time=time, type=kind, process=process, f=str(_name(entry.get("f") or "txn")),
        value=value, error=entry.get("error"),
    )  # fmt: skip


def numbering(indexes: Sequence[Any]) -> Sequence[int] | None:
    """The indexes that a file gives its ops, if they increase and are not simply the positions; else None.

    A file may hold a part of a history: what is said of its ops should name them as the file does.
    """
    if not all(type(index) is int for index in indexes) or list(indexes) == list(range(len(indexes))):
        return None
    increases = all(map(lt, indexes, indexes[1:]))
    return indexes if increases and indexes[0] >= 0 and indexes[-1] < _INDEX_MAX else None


_INDEX_MAX: Final = 1 << 40
"""Indexes are added up with others in arrays of 64-bit integers."""


def renumbered(ops: Sequence[Op], indexes: Sequence[int]) -> list[Op]:
    """The same ops with these indexes."""
    return [msgspec.structs.replace(op, index=index) for op, index in zip(ops, indexes, strict=True)]


def _name(value: Any) -> Any:
    return value.removeprefix(":") if isinstance(value, str) else value
