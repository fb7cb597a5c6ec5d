"""Histories in one line: `0 add 1 ok; 1 read; 0 add 2; 1 ok [1]; 0 info`.

An entry names a process, what it invokes and with which value (JSON without spaces); or how what it had
invoked ended, and with which value if not the same; or both. `@7` adds a slot. Entries are 10 ms apart.
"""

from __future__ import annotations

import json
from typing import Any

from ostrakon.harness.history import NEMESIS, History, Op

STEP_NS = 10_000_000


def history(line: str) -> History:
    """The history that a line describes."""
    ops: list[Op] = []
    pending: dict[str, tuple[str, Any]] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in line.split(";")))):
        process, *words = entry.split()
        if words[0] not in ("ok", "fail", "info"):
            f, value, words = words[0], *_value(words[1:])
            if process == NEMESIS:
                ops.append(_op(len(ops), number, "info", process, f, value))
                continue
            ops.append(_op(len(ops), number, "invoke", process, f, value))
            pending[process] = (f, value)
        if words:
            f, asked = pending.pop(process)
            answer, slot = _value(words[1:])
            at = words[1:] != [] and not words[1].startswith("@")
            ops.append(_op(len(ops), number, words[0], process, f, answer if at else asked, _slot(words)))
            assert not slot or slot[0].startswith("@"), entry
    return History(ops)


def _value(words: list[str]) -> tuple[Any, list[str]]:
    """The value that the words begin with, null if they do not; and the other words."""
    if not words or words[0] in ("ok", "fail", "info") or words[0].startswith("@"):
        return None, words
    return json.loads(words[0]), words[1:]


def _slot(words: list[str]) -> int | None:
    return int(words[-1][1:]) if words[-1].startswith("@") else None


def _op(index: int, number: int, type_: Any, process: str, f: str, value: Any, slot: int | None = None) -> Op:
    whose = NEMESIS if process == NEMESIS else int(process)
    return Op(index, number * STEP_NS, type_, whose, f, value, slot=slot)
