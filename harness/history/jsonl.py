"""History and trace files: one JSON object a line, written immediately, and read with checks for damage."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, TypeVar, get_args

import msgspec

from ostrakon.harness.history.history import History
from ostrakon.harness.history.op import Op, OpType
from ostrakon.harness.history.trace import Event, Trace

if TYPE_CHECKING:
    from ostrakon.harness.history.columns import Columns

_T = TypeVar("_T", Op, Event)

_PIECE: Final = 1 << 20
"""The number of bytes that are read at a time. If they fit the processor's cache once decoded, reading
takes half the time."""
_BROKEN_OFF: Final = "the file breaks off in the middle of this line"
TOO_DEEP: Final = "a value of lists within lists within lists, more than can be read"
_AT_A_FIELD: Final = re.compile(r"(?P<what>.*) - at `\$\.(?P<field>\w+)`")
_BAD_TYPE: Final = re.compile(r"Invalid enum value (?P<found>.*) - at `\$\.type`")


class DamagedFile(Exception):
    """A line of a file is not as expected.

    Attributes: `path`, `line` (counted from 1) and `why`, which names the field.
    """

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")
        self.path, self.line, self.why = path, line, why


class Journal:
    """An append-only file of ops or events; entries that were written are kept even if the writer is
    killed.

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
        """Write the remaining lines and make the file durable."""
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
    return History(chain.from_iterable(_pieces(path, Op, keep_undamaged)))


def read_columns(path: Path | str, *, keep_undamaged: bool = False) -> Columns:
    """Read a `history.jsonl` as columns, without keeping its ops; otherwise as `read_history`."""
    from ostrakon.harness.history.columns import Columns

    return Columns.gather(_pieces(path, Op, keep_undamaged))


def read_trace(path: Path | str, *, keep_undamaged: bool = False) -> Trace:
    """Read a `trace.jsonl`; otherwise as `read_history`."""
    return tuple(chain.from_iterable(_pieces(path, Event, keep_undamaged)))


def _pieces(path: Path | str, kind: type[_T], keep_undamaged: bool) -> Iterator[list[_T]]:
    """The entries of a file, some thousands at a time."""
    decode = msgspec.json.Decoder(kind).decode_lines
    count = 0
    with open(path, "rb") as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        while lines := file.read(_PIECE) + file.readline():
            try:
                entries = decode(lines)
                _require_order(entries, count)
                if not lines.endswith(b"\n"):
                    raise ValueError(_BROKEN_OFF)
            except (msgspec.DecodeError, ValueError, RecursionError):
                entries, why = _until_damage(lines, kind, count)
                yield entries
                if keep_undamaged:
                    return
                raise DamagedFile(str(path), count + len(entries) + 1, why) from None
            count += len(entries)
            yield entries


def _until_damage(lines: bytes, kind: type[_T], count: int) -> tuple[list[_T], str]:
    """The entries of some lines that are known to be damaged, and what is wrong with the first damaged
    one."""
    decode = msgspec.json.Decoder(kind).decode
    entries: list[_T] = []
    for line in lines.splitlines(keepends=True):
        try:
            entry = decode(line)
            _require_order([entry], count + len(entries))
            if not line.endswith(b"\n"):
                raise ValueError(_BROKEN_OFF)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return entries, _explain(error, kind)
        entries.append(entry)
    return entries, "this line is blank, or holds more than one entry"


def _require_order(entries: Sequence[Op | Event], count: int) -> None:
    found = [entry.index for entry in entries if isinstance(entry, Op)]
    for index, expected in zip(found, range(count, count + len(found)), strict=True):
        if index != expected:
            raise ValueError(f"index is {index}, expected {expected}: a line is missing or out of place")


def not_text(error: UnicodeDecodeError) -> str:
    """The problem with bytes that are not text."""
    return f"byte 0x{error.object[error.start]:02x} is not part of a text in UTF-8"


def _explain(error: Exception, kind: type[Op] | type[Event]) -> str:
    match error:
        case RecursionError():
            return TOO_DEEP
        case UnicodeDecodeError():
            return not_text(error)
        case msgspec.ValidationError():
            return _misplaced(str(error))
        case msgspec.DecodeError():
            return f"not {'an op' if kind is Op else 'a trace event'} in JSON ({error})"
        case _:
            return str(error)


def _misplaced(why: str) -> str:
    """The message of msgspec about a field, with the field first."""
    if (found := _BAD_TYPE.fullmatch(why)) is not None:
        return f"type is {found['found']}, expected one of {', '.join(get_args(OpType))}"
    if (found := _AT_A_FIELD.fullmatch(why)) is not None:
        return f"{found['field']}: {found['what'][0].lower()}{found['what'][1:]}"
    return why
