"""The clients' operations of a history as parallel arrays, so that checkers can work on a million
operations.

One row is one operation: an invocation together with its completion, in order of invocation. Equal values
share a code, so an array can stand for values of any kind. Values are frozen: they are equal exactly if their
JSON is equal (`ostrakon.harness.history.value`).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import count
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostrakon.harness.history.op import NEMESIS, Op, Process, UnsuitableHistory
from ostrakon.harness.history.value import freeze_all

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

NEVER: Final = 1 << 60
"""The position of the return of an operation without a completion: after all others."""

OK: Final = 0
FAIL: Final = 1
INFO: Final = 2

_INVOKE: Final = 3
_KINDS = {"ok": OK, "fail": FAIL, "info": INFO, "invoke": _INVOKE}
_CHUNK: Final = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Parallel arrays, one entry per operation, and the tables that their codes point into."""

    invoked: Ints
    """Position of the invocation in the history."""
    returned: Ints
    """Position of the completion; NEVER if the operation may still take effect."""
    outcome: Ints
    """OK, FAIL or INFO. An operation without a completion is INFO."""
    process: Ints
    f: Ints
    """Code of the function, into `fs`."""
    argument: Ints
    """Code of the value that was asked for, into `values`."""
    result: Ints
    """Code of the value that was returned, into `values`; the code of None if none was."""
    slot: Ints
    """The position of the decision in the log; -1 where the system doesn't tell."""
    invoke_time: Ints
    """Nanoseconds since the trial began."""
    return_time: Ints
    """Nanoseconds since the trial began; NEVER as in `returned`."""
    fs: tuple[str, ...]
    values: tuple[Hashable, ...]
    """Each value once, None first."""

    def __len__(self) -> int:
        return len(self.invoked)

    def take(self, rows: Ints | Mask) -> Columns:
        """These rows only; the tables stay as they are."""
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return Columns(**arrays, fs=self.fs, values=self.values)

    def is_f(self, *names: str) -> Mask:
        """Which rows have one of these functions."""
        mask: Mask = np.array([name in names for name in self.fs], bool)[self.f]
        return mask

    @classmethod
    def of(cls, ops: Sequence[Op]) -> Columns:
        """The client operations of a recorded history, in which ops are indexed densely from 0."""
        return cls.gather(ops[at : at + _CHUNK] for at in range(0, len(ops), _CHUNK))

    @classmethod
    def gather(cls, chunks: Iterable[Sequence[Op]]) -> Columns:
        """The same of a history that comes in pieces. A piece is not needed any more once it was read."""
        rows = _Rows()
        for chunk in chunks:
            rows.add([op for op in chunk if op.process != NEMESIS])
        return _paired(rows.moments(), rows.fs, rows.values)

    @classmethod
    def of_alike(
        cls,
        at: Sequence[int],
        time: Sequence[int],
        process: Sequence[Process],
        kind: Sequence[int],
        kinds: Sequence[Op],
    ) -> Columns:
        """The same where many ops are alike: a field that is not given for each op is that of its kind in
        `kinds`."""
        rows = _Rows()
        rows.add(kinds)
        which = _array(kind)
        like = _Moments(*(column[which] for column in rows.moments()))
        like = like._replace(at=_array(at), time=_array(time), process=_array(process))
        return _paired(like, rows.fs, rows.values)


_ARRAYS = tuple(field.name for field in fields(Columns) if field.name not in {"fs", "values"})


def numbered(values: Collection[Hashable]) -> tuple[tuple[Hashable, ...], Ints]:
    """Each value once, in order of appearance, and the number among these of each given value."""
    first: dict[Hashable, int] = {}
    where = np.fromiter(map(first.setdefault, values, count()), np.int64, len(values))
    return tuple(first), numbers_of(where)


def numbers_of(first: Ints) -> Ints:
    """The numbers, in order of appearance, of values that are given by the position of the first equal
    one."""
    return (np.cumsum(first == np.arange(len(first))) - 1)[first]


def sorted_by(numbers: Ints | NDArray[np.int32], below: int) -> Ints:
    """The positions that sort these numbers stably; all numbers are less than `below`."""
    small = np.uint16 if below <= 1 << 16 else np.uint32 if below <= 1 << 32 else np.int64
    return np.argsort(numbers.astype(small), kind="stable")  # What fits 16 bits is sorted by radix.


class _Moments(NamedTuple):
    """Client ops as parallel arrays, one row each: the beginnings and ends of operations."""

    at: Ints
    time: Ints
    kind: Ints
    process: Ints
    f: Ints
    value: Ints
    slot: Ints


class _Rows:
    """Client ops, one row each, as arrays that grow by pieces; a piece fits the processor's cache."""

    def __init__(self) -> None:
        self._pieces: list[_Moments] = []
        self.values: dict[Hashable, int] = {None: 0}
        self.fs: dict[Hashable, int] = {}

    def add(self, ops: Sequence[Op]) -> None:
        self._pieces.append(_Moments(
            _array([op.index for op in ops]),
            _array([op.time for op in ops]),
            _array([_KINDS[op.type] for op in ops]),
            _array([op.process for op in ops]),
            _codes(self.fs, [op.f for op in ops]),
            _codes(self.values, freeze_all([op.value for op in ops])),
            _array([-1 if op.slot is None else op.slot for op in ops]),
        ))  # fmt: skip

    def moments(self) -> _Moments:
        columns = zip(*self._pieces, strict=True) if self._pieces else [[_array(())]] * 7
        return _Moments(*map(np.concatenate, columns))


def _paired(moments: _Moments, fs: Iterable[Hashable], values: Iterable[Hashable]) -> Columns:
    at, time, kind, process, f, value, slot = moments
    begins, ends = _pair(kind, process)
    heard = np.flatnonzero(ends >= 0)
    outcome = np.full(len(begins), INFO)
    result, slots = np.zeros(len(begins), np.int64), np.full(len(begins), -1)
    outcome[heard] = kind[ends[heard]]
    result[heard], slots[heard] = value[ends[heard]], slot[ends[heard]]
    closed = np.flatnonzero(outcome != INFO)
    returned, return_time = np.full(len(begins), NEVER), np.full(len(begins), NEVER)
    returned[closed], return_time[closed] = at[ends[closed]], time[ends[closed]]
    return Columns(
        invoked=at[begins], returned=returned, outcome=outcome, process=process[begins],
        f=f[begins], argument=value[begins], result=result, slot=slots,
        invoke_time=time[begins], return_time=return_time,
        fs=tuple(map(str, fs)), values=tuple(values),
    )  # fmt: skip


def _pair(kind: Ints, process: Ints) -> tuple[Ints, Ints]:
    """The rows of the invocations and, for each, the row of its completion or -1."""
    least = int(process.min(initial=0))
    by_process = sorted_by(process - least, int(process.max(initial=0)) - least + 1)
    invokes = kind[by_process] == _INVOKE
    same = process[by_process][1:] == process[by_process][:-1]
    answered = np.flatnonzero(invokes[:-1] & ~invokes[1:] & same)
    end = np.full(len(kind), -1)
    end[by_process[answered]] = by_process[answered + 1]
    begins = np.flatnonzero(kind == _INVOKE)
    return begins, end[begins]


def _codes(table: dict[Hashable, int], values: Sequence[Hashable]) -> Ints:
    code = table.setdefault
    return _array([code(value, len(table)) for value in values])


def _array(numbers: Sequence[Any]) -> Ints:
    if isinstance(numbers, range):
        return np.arange(numbers.start, numbers.stop)
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        largest = max(numbers, key=abs)
        raise UnsuitableHistory(
            f"{largest} is no process, time or slot: it takes more than 64 bits"
        ) from None
