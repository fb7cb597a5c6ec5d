"""Histories as Jepsen prints them, an op a line: `history.txt`, and the ops in `jepsen.log` or on its
console.

A line is `PROCESS<tab>:TYPE<tab>:F<tab>VALUE`, and an error may follow after another tab. In a log this comes
after the time, the level and the name of the thread. Other lines are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from ostrakon.harness.history.edn import EdnReader

_OP: Final = re.compile(
    r"(?P<process>\d+|:?nemesis)\t:(?P<type>invoke|ok|fail|info)\t(?P<f>[^\t]+)\t(?P<rest>.*)", re.DOTALL
)
_TIME: Final = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+)"
_LEVEL: Final = r"(?:TRACE|DEBUG|INFO|WARN|ERROR)"
# A file has `TIME<tab>LEVEL<tab>[THREAD] LOGGER: MESSAGE`, a console `LEVEL [TIME] THREAD - LOGGER MESSAGE`.
_BEGINS_LOG: Final = re.compile(rf"{_TIME}\S*\t{_LEVEL}\t|{_LEVEL}\s+\[{_TIME.replace('time', 'at')}\]")
_LOGGED: Final = re.compile(rf"(?:{_LEVEL}\s+\[)?{_TIME}.*?\bjepsen\.util:? (?P<op>.*)")


def is_history_text(text: str) -> bool:
    """Whether a text begins as a `history.txt` does."""
    return _OP.match(text.partition("\n")[0]) is not None


def is_log(text: str) -> bool:
    """Whether a text begins as a `jepsen.log` does."""
    return _BEGINS_LOG.match(text) is not None


class TextReader:
    """The ops of a `history.txt` or a log, as maps with Jepsen's fields; `line` is the one read last.

    The error of an op may have several lines, as exceptions have. Raises: ValueError, while iterating.
    """

    def __init__(self, text: str, *, log: bool) -> None:
        self._lines = text.splitlines()
        self._is_log = log
        self._first_ns: int | None = None
        self.line = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        pending: dict[str, Any] | None = None
        for line, text in enumerate(self._lines, start=1):
            begins = _LOGGED.match(text) if self._is_log else _OP.fullmatch(text)
            if begins is None:
                if pending is not None and not self._is_log and "error" in pending:
                    pending["error"] = f"{pending['error']}\n{text}"
                    continue
                if self._is_log or not text.strip():
                    continue
            if pending is not None:
                yield pending
            self.line, pending = line, None
            pending = self._logged(text) if self._is_log else _op(text)
            if pending is None and not self._is_log:
                raise ValueError(f"expected `PROCESS<tab>:TYPE<tab>:F<tab>VALUE`, found {text[:80]!r}")
        if pending is not None:
            yield pending

    def _logged(self, text: str) -> dict[str, Any] | None:
        found = _LOGGED.match(text)
        entry = _op(found["op"]) if found is not None else None
        if found is None or entry is None:
            return None
        moment = datetime.fromisoformat(found["time"].replace(",", "."))
        # Only differences count, so what zone the clock was in does not matter.
        now_ns = round((moment - datetime(1970, 1, 1)).total_seconds() * 1000) * 1_000_000
        self._first_ns = now_ns if self._first_ns is None else self._first_ns
        return {**entry, "time": now_ns - self._first_ns}


def _op(text: str) -> dict[str, Any] | None:
    if (found := _OP.fullmatch(text)) is None:
        return None
    value, *error = found["rest"].split("\t", 1)
    process = found["process"].removeprefix(":")
    entry = {
        "process": process if process == "nemesis" else int(process),
        "type": found["type"],
        "f": _form(found["f"]),
        "value": _form(value),
    }
    return {**entry, "error": _error(error[0])} if error else entry


def _form(text: str) -> Any:
    forms = list(EdnReader(f"[{text}]"))
    if len(forms) != 1:
        raise ValueError(f"expected one value in EDN, found {text[:80]!r}")
    return forms[0]


def _error(text: str) -> Any:
    """Errors are printed for people: often EDN, and often not."""
    try:
        return _form(text)
    except ValueError:
        return text
