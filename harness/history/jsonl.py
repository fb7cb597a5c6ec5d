"""History and trace files: one JSON object a line, written as things happen, read with an eye for damage."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

import msgspec

from harness.history.history import History
from harness.history.op import Op
from harness.history.trace import Event, Trace

_T = TypeVar("_T", Op, Event)


class DamagedFile(Exception):
    """A line of a file is not what it should be.

    Attributes: `path`, `line` (counted from 1) and `why`, which names the field at fault.
    """

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")
        self.path, self.line, self.why = path, line, why


class Journal:
    """An append-only file of ops or events; what was written is kept whatever happens to the writer.

    Lines go to the operating system `flush_every` at a time, and all of them when the journal is closed.
    """

    def __init__(self, path: Path, *, flush_every: int = 1) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._encode = msgspec.json.Encoder().encode
        self._flush_every, self._unflushed = flush_every, 0

    def write(self, entry: Op | Event) -> None:
        """Append one entry."""
        self._file.write(self._encode(entry) + b"\n")
        self._unflushed += 1
        if self._unflushed >= self._flush_every:
            self._file.flush()
            self._unflushed = 0

    def close(self) -> None:
        """Write out what is left and make it durable."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


def read_history(path: Path | str, *, keep_undamaged: bool = False) -> History:
    """Read a `history.jsonl`.

    With `keep_undamaged`, a file that breaks off or is damaged is read up to the damage.

    Raises: DamagedFile, naming line and field; OSError.
    """
    return History(_read(path, Op, keep_undamaged))


def read_trace(path: Path | str, *, keep_undamaged: bool = False) -> Trace:
    """Read a `trace.jsonl`; otherwise as `read_history`."""
    return tuple(_read(path, Event, keep_undamaged))


def _read(path: Path | str, kind: type[_T], keep_undamaged: bool) -> list[_T]:
    decode = msgspec.json.Decoder(kind).decode
    entries: list[_T] = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                entry = decode(line)
                if isinstance(entry, Op):
                    _require_order(entry, len(entries))
                if not line.endswith(b"\n"):
                    raise ValueError("the file breaks off in the middle of this line")
            except (msgspec.DecodeError, ValueError) as error:
                if keep_undamaged:
                    break
                raise DamagedFile(str(path), number, _explain(error, kind)) from None
            entries.append(entry)
    return entries


def _require_order(op: Op, expected: int) -> None:
    if op.index != expected:
        raise ValueError(f"index is {op.index}, expected {expected}: a line is missing or out of place")


def _explain(error: Exception, kind: type[Op] | type[Event]) -> str:
    if isinstance(error, msgspec.ValidationError) or not isinstance(error, msgspec.DecodeError):
        return str(error)
    noun = "an op" if kind is Op else "a trace event"
    return f"not {noun} in JSON ({error})"
