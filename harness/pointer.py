"""Finds the line of a path such as `faults[2].at_ms` in a JSON text, for error messages."""

from __future__ import annotations

import json
import re

_STEP = re.compile(r"\.?(\w+)|\[(\d+)\]|\[\.\.\.\]")
_SPACE = re.compile(r"\s*")
_value = json.JSONDecoder().raw_decode


def line_of(text: str, path: str) -> int:
    """The line, counted from 1, at which the value of a path begins.

    A path consists of names after dots and numbers in brackets; a `$` may precede it. If the path does not
    exist, the line is that of the innermost value on the path. The text must be JSON.
    """
    at = _skip(text, 0)
    for step in _STEP.finditer(path.removeprefix("$")):
        inner = _member(text, at, step[1]) if step[1] else _element(text, at, int(step[2] or -1))
        if inner is None:
            break
        at = inner
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, name: str) -> int | None:
    """The index of the value of a name in the object that begins at `at`."""
    if text[at] != "{":
        return None
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _value(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            return at
        at = _next(text, at)
    return None


def _element(text: str, at: int, number: int) -> int | None:
    """The index of an element of the array that begins at `at`."""
    if text[at] != "[":
        return None
    at = _skip(text, at + 1)
    while text[at] != "]":
        if number == 0:
            return at
        number, at = number - 1, _next(text, at)
    return None


def _next(text: str, at: int) -> int:
    """The index after the value that begins at `at` and after its comma, if there is one."""
    at = _skip(text, _value(text, at)[1])
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space is not None else at
