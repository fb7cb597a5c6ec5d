"""Reads any history file. Its beginning shows the format: ours, Jepsen's in EDN, JSON or text, or
Porcupine's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

from ostrakon.harness.history.contradiction import contradiction
from ostrakon.harness.history.edn import TOO_LONG, EdnReader
from ostrakon.harness.history.entry import alike, numbering, op_of, renumbered
from ostrakon.harness.history.history import History
from ostrakon.harness.history.jepsen_text import TextReader, is_history_text, is_log
from ostrakon.harness.history.jsonl import TOO_DEEP, DamagedFile, not_text, read_history
from ostrakon.harness.history.op import Op
from ostrakon.harness.history.porcupine import EtcdReader

Format = Literal[
    "ostrakon", "jepsen-edn", "jepsen-json", "jepsen-text", "jepsen-log", "porcupine-etcd", "porcupine-kv"
]
FailMeans = Literal["did not happen", "compared unequal"]
"""What the recorder meant by `fail` of an op that compares, such as cas: that it did not happen, for any
reason; or that it was executed and found another value than the expected one, which checkers must then
account for. Of other ops, `fail` always means that the op did not happen."""

_FAIL_MEANS: Final[dict[Format, FailMeans]] = {"porcupine-etcd": "compared unequal"}
_OURS: Final = ("index", "time", "type", "process", "f")
_EXPECTED: Final = (
    "a history: JSON objects or EDN maps with type, process, f and value, Jepsen's history.txt or log, "
    "or a log of Porcupine's"
)


_BINARY: Final = (
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"\xff\xfe", "text in UTF-16: convert it to UTF-8 first"),
    (b"\xfe\xff", "text in UTF-16: convert it to UTF-8 first"),
)


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """A history, and how it was written."""

    history: History
    format: Format
    fail_means: FailMeans


class ContradictoryFile(DamagedFile):
    """An op contradicts ops before it; otherwise as DamagedFile."""


class NoHistory(DamagedFile):
    """The file is something else than a history from its beginning; otherwise as DamagedFile."""


def read_any(
    path: Path | str, *, format: Format | None = None, keep_undamaged: bool = False, as_is: bool = False
) -> ReadHistory:
    """Read a history file. Its format is found from its beginning unless it is given.

    With `keep_undamaged`, a file that breaks off, is damaged or contradicts itself is read up to that place.
    With `as_is`, contradictory ops are accepted. In our own files, times must not run backwards; in Jepsen's
    and Porcupine's files only the order of the ops counts.

    Raises: DamagedFile, naming the line and what was expected there; ContradictoryFile; NoHistory; OSError.
    """
    path = Path(path)
    known = format or _told(path)
    if known == "ostrakon":
        history = read_history(path, keep_undamaged=keep_undamaged)
    else:
        history = _read(path, known, keep_undamaged)
    found = None if as_is else contradiction(history, times=known == "ostrakon")
    if found is not None:
        if not keep_undamaged:
            raise ContradictoryFile(str(path), _line_of(path, known, found.at), found.why)
        history = history[: found.at]
    return ReadHistory(history, known, _FAIL_MEANS.get(known, "did not happen"))


def _line_of(path: Path, format: Format, at: int) -> int:
    """The line of an op, found by reading once more: it is wanted only where something is wrong."""
    if format == "ostrakon":
        return at + 1
    entries = _entries(_text(path, keep_undamaged=True), format)
    next(islice(entries, at, None))
    return entries.line


class _Entries(Protocol):
    """Ops in whatever notation, as maps; `line` tells where the last one, or the damage, is."""

    @property
    def line(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...


def _read(path: Path, format: Format, keep_undamaged: bool) -> History:
    entries: _Entries | None = None
    ops: list[Op] = []
    indexes: list[Any] = []
    try:
        text = _text(path, keep_undamaged)
        if format == "jepsen-edn" and (history := alike(text)) is not None:
            return history
        entries = _entries(text, format)
        for entry in entries:
            ops.append(op_of(entry, len(ops)))
            indexes.append(entry.get("index"))
    except (ValueError, RecursionError) as error:
        if not keep_undamaged:
            why = TOO_DEEP if isinstance(error, RecursionError) else str(error)
            raise DamagedFile(str(path), entries.line if entries else 1, why) from None
    return History(ops if (index := numbering(indexes)) is None else renumbered(ops, index))


def _text(path: Path, keep_undamaged: bool) -> str:
    """All there is; or, with `keep_undamaged`, the lines before the first that is not text."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not keep_undamaged:
            line = 1 + data.count(b"\n", 0, error.start)
            raise DamagedFile(str(path), line, not_text(error)) from None
        return data[: data.rfind(b"\n", 0, error.start) + 1].decode("utf-8-sig")


def _entries(text: str, format: Format) -> _Entries:
    match format:
        case "porcupine-etcd":
            return EtcdReader(text)
        case "jepsen-text" | "jepsen-log":
            return TextReader(text, log=format == "jepsen-log")
        case "jepsen-json":
            return _JsonList(text) if text.lstrip().startswith("[") else _JsonLines(text)
        case _:
            return EdnReader(text)


class _JsonLines:
    """JSON objects on lines of their own."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.line = 1

    def __iter__(self) -> Iterator[Any]:
        for line, text in enumerate(self._lines, start=1):
            self.line = line
            if text.strip():
                yield self._decoded(text)

    def _decoded(self, text: str) -> Any:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise ValueError(f"expected an op in JSON: {error}") from None


class _JsonList:
    """JSON objects in a list."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._taken = 0

    def __iter__(self) -> Iterator[Any]:
        try:
            values = msgspec.json.decode(self._text)
        except (msgspec.DecodeError, RecursionError):
            values = (value for _, value in self._elements())
        for value in values:
            self._taken += 1
            if isinstance(value, ValueError):
                raise value
            yield value

    @property
    def line(self) -> int:
        """Found by reading everything once more: it is wanted only once, and only if something is wrong."""
        return next((line for line, _ in islice(self._elements(), max(self._taken - 1, 0), None)), 1)

    def _elements(self) -> Iterator[tuple[int, Any]]:
        """The elements of the list with the lines they begin on, and at last the damage, if there is any."""
        import json

        decoder, text = json.JSONDecoder(parse_constant=_refuse), self._text
        at = text.index("[") + 1
        while True:
            at = _past(text, at, ",")
            line = 1 + text.count("\n", 0, at)
            if at == len(text):
                yield line, ValueError("the text breaks off: expected `]`")
                return
            if text[at] == "]":
                if text[at + 1 :].strip():
                    yield line, ValueError("expected nothing after the closing `]`")
                return
            try:
                value, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                yield line, _explained(error)
                return
            yield line, value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


def _explained(error: Exception) -> ValueError:
    """In words that say what to look for."""
    if isinstance(error, RecursionError):
        return ValueError(TOO_DEEP)
    why = getattr(error, "msg", TOO_LONG if "digits" in str(error) else str(error))
    return ValueError(f"expected an op in JSON: {why}")


def _past(text: str, at: int, separators: str) -> int:
    while at < len(text) and (text[at].isspace() or text[at] in separators):
        at += 1
    return at


def _told(path: Path) -> Format:
    with path.open("rb") as file:
        data = file.read(4096)
    if not data.isascii() and (what := next((w for magic, w in _BINARY if data.startswith(magic)), None)):
        raise NoHistory(str(path), 1, f"this is {what}")
    start = _without_comments(data.decode("utf-8-sig", errors="replace"))
    first = start.splitlines()[0] if start else ""
    inside = start.lstrip("[({ \t\r\n")
    if not start or (start[0] == "{" and all(f'"{field}"' in first for field in _OURS)):
        return "ostrakon"
    if is_log(start):
        return "jepsen-log"
    if start.startswith("INFO"):
        return "porcupine-etcd"
    if is_history_text(start):
        return "jepsen-text"
    if inside.startswith('"') or (start[0] == "[" and inside.startswith("]")):
        return "jepsen-json"
    if inside.startswith((":", "#", ";", "]", ")")):
        return "porcupine-kv" if start[0] == "{" and ":key " in first else "jepsen-edn"
    found = "bytes that are no text" if "\0" in first or "\ufffd" in first else repr(first[:60])
    raise NoHistory(str(path), 1, f"expected {_EXPECTED}; found {found}")


def _without_comments(text: str) -> str:
    return re.sub(r"\A(?:\s*;[^\n]*\n)+", "", text).strip()
