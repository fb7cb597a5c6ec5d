"""Histories drawn as they happened: a line for each process, and time runs to the right.

    timeline(
        "[write 1]        [read -> 2]",
        "      [write 2]",
        "  [write 3",
    )

An operation is invoked where its bracket opens and returns where it closes; where it never closes, nothing
was heard of it again. Values are JSON. `-> value` is the answer, where it is another than the argument;
`-> refused` stands for one that found another value than it expected.
"""

from __future__ import annotations

import json
from typing import Any

from ostrakon.harness.history import History, Op


def timeline(*lines: str) -> History:
    """The history that is drawn."""
    moments: list[tuple[int, int, str, str, Any]] = []
    for process, line in enumerate(lines):
        for begin, end, text in _operations(line):
            asked, _, answered = text.partition("->")
            f, _, argument = asked.strip().partition(" ")
            value = _value(argument)
            moments.append((begin, process, "invoke", f, value))
            if end is not None:
                refused = answered.strip() == "refused"
                answer = value if refused or not answered else _value(answered)
                moments.append((end, process, "fail" if refused else "ok", f, answer))
    moments.sort(key=lambda moment: moment[:2])
    return History(
        Op(index, 1000 * at, kind, process, f, value)  # type: ignore[arg-type]
        for index, (at, process, kind, f, value) in enumerate(moments)
    )


def _operations(line: str) -> list[tuple[int, int | None, str]]:
    """Where each operation begins and ends, and what is written in it; lists may be among its values."""
    found: list[tuple[int, int | None, str]] = []
    depth = begin = 0
    for at, character in enumerate(line):
        if character == "[":
            depth += 1
            begin = at if depth == 1 else begin
        elif character == "]":
            depth -= 1
            if depth == 0:
                found.append((begin, at, line[begin + 1 : at]))
    if depth:
        found.append((begin, None, line[begin + 1 :]))
    return found


def _value(text: str) -> Any:
    text = text.strip()
    return None if text in ("", "nil") else json.loads(text)
