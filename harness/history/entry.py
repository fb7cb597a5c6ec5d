"""Ops from maps with Jepsen's fields, as other tools write them: one by one, or many that are alike at once.

In histories of registers, most ops differ only in their process, their time and their index. `alike` looks at
each kind of op only once, and so reads such EDN files several times faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from itertools import repeat
from operator import lt
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from ostrakon.harness.history.edn import EdnReader
from ostrakon.harness.history.history import History
from ostrakon.harness.history.op import NEMESIS, Op, OpType, Process

if TYPE_CHECKING:
    from ostrakon.harness.history.columns import Columns


_TYPES: Final = get_args(OpType)


def op_of(entry: Any, index: int) -> Op:
    """An op from a map with Jepsen's fields, of which only the type is required; its index is given.

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
    """The indexes that a file gives its ops, if they increase and differ from the positions; else None.

    A file may hold a part of a history. Messages about its ops should name them as the file does.
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


_PROCESS: Final = re.compile(r":process (\d+|:nemesis)(?=[\s,}])")
_TIME: Final = re.compile(r":time (\d+)(?=[\s,}])")
_INDEX: Final = re.compile(r":index (\d+)(?=[\s,}])")
_COMMENT: Final = re.compile(r";[^\n]*")
_UNCOMMON: Final = '"#\\'
"""Text with these characters may contain others, or is read differently."""
_BLANK: Final = " \t\r\n,"
_CLOSING: Final = {"[": "]", "(": ")"}
_TAKEN_OUT: Final = -1
"""Stands for the numbers that alone distinguish ops."""


def alike(text: str) -> History | None:
    """Such a history; None if it is of another kind or damaged, and must be read op by op."""
    if any(sign in text for sign in _UNCOMMON):
        return None
    if (body := _inside(_COMMENT.sub("", text) if ";" in text else text)) is None:
        return None
    processes, body = _taken_out(body, ":process", _PROCESS)
    times, body = _taken_out(body, ":time", _TIME)
    indexes, body = _taken_out(body, ":index", _INDEX)
    *told, rest = body.split("}")
    if rest.strip(_BLANK) or len(processes) != len(told) or len(times) not in (0, len(told)):
        return None
    if (kinds := _kinds(dict.fromkeys(told))) is None:
        return None
    numbers = {name: NEMESIS if name[0] == ":" else int(name) for name in set(processes)}
    process = list(map(numbers.__getitem__, processes))
    time = list(map(int, times)) if times else range(len(told))
    index: Sequence[int] = range(len(told))
    if len(indexes) == len(told):
        index = numbering(list(map(int, indexes))) or index
    ops = [
        Op(index, time, kind.type, process, kind.f, kind.value, kind.error)
        for index, time, kind, process in zip(index, time, map(kinds.__getitem__, told), process, strict=True)
    ]
    return History(ops, columns=partial(_columns, told, kinds, process, time, index))


def _columns(
    told: Sequence[str],
    kinds: dict[str, Op],
    process: Sequence[Process],
    time: Sequence[int],
    at: Sequence[int],
) -> Columns:
    """The columns of ops of these kinds."""
    from ostrakon.harness.history.columns import Columns

    if NEMESIS in process:
        rows = [row for row in range(len(told)) if process[row] != NEMESIS]
        told, process = [told[row] for row in rows], [process[row] for row in rows]
        time, at = [time[row] for row in rows], [at[row] for row in rows]
    number = {text: n for n, text in enumerate(dict.fromkeys(told))}
    return Columns.of_alike(
        at, time, process, list(map(number.__getitem__, told)), list(map(kinds.__getitem__, number))
    )


def _inside(text: str) -> str | None:
    """The text within the one list or vector, if there is one; None if that is not complete."""
    text = text.strip(_BLANK)
    if (closing := _CLOSING.get(text[:1])) is None:
        return text
    return text[1:-1] if text[-1] == closing else None


def _taken_out(text: str, field: str, pattern: re.Pattern[str]) -> tuple[list[str], str]:
    """The numbers of a field, one for each op, and the text without them; the whole text if not every op
    has one."""
    pieces = pattern.split(text) if field in text else [text]
    if not set(map(str.count, pieces[2:-1:2], repeat("}"))) <= {1}:
        return [], text
    return pieces[1::2], f"{field} {_TAKEN_OUT}".join(pieces[::2])


def _kinds(told: Iterable[str]) -> dict[str, Op] | None:
    """The op of each text; None if one of them is not an op, or still has numbers of its own."""
    try:
        return {text: _kind(text.lstrip(_BLANK)) for text in told}
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=10_000)
def _kind(text: str) -> Op:
    """The op of a text. Raises: ValueError if it is not an op."""
    (entry,) = EdnReader(text + "}")
    op = op_of(entry, _TAKEN_OUT)
    if op.process != _TAKEN_OUT or op.time != _TAKEN_OUT or text[0] != "{":
        raise ValueError("this op differs from others in more than these numbers")
    return op
