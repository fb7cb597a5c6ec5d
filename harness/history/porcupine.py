"""The logs in the tests of the linearizability checker Porcupine: Jepsen's etcd runs, line by line.

A line is `INFO jepsen.util - 0 :invoke :write 4`. Porcupine's other format has one EDN map a line with a key,
`{:process 0, :type :invoke, :f :get, :key "1", :value nil}`, and is read as Jepsen's EDN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ostrakon.harness.history.edn import EdnReader

_LINE: Final = re.compile(
    r"INFO\s+\S+\s+-\s+(?P<process>\d+|:nemesis)\s+:(?P<type>\w+)\s+:(?P<f>\S+)\s+(?P<value>.+)"
)
_GAVE_UP: Final = "timed-out"


class EtcdReader:
    """The ops of a log, as maps with the fields that Jepsen gives them; `line` is the one read last.

    Raises: ValueError, while iterating.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.line = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line, text in enumerate(self._lines, start=1):
            self.line = line
            if text.strip():
                yield _entry(text.strip())


def _entry(text: str) -> dict[str, Any]:
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected `INFO  jepsen.util - PROCESS  :TYPE  :F  VALUE`, found {text[:80]!r}")
    process = found["process"]
    entry = {
        "process": process[1:] if process[0] == ":" else int(process),
        "type": found["type"],
        "f": found["f"],
    }
    value, *_ = EdnReader(f"[{found['value']}]")
    return {**entry, "value": None, "error": value} if value == _GAVE_UP else {**entry, "value": value}
