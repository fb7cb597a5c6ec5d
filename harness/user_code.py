"""Finds the place of a function or an error in a user's code, as `path:line`.

The user must correct an error in a generator, a client or a checker. So the message about it begins with a
line of the user's code and not with a line of Ostrakon.
"""

from __future__ import annotations

import inspect
import re
import sys
import sysconfig
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import ostrakon

_OURS = tuple(
    f"{folder}/"
    for folder in (
        str(Path(ostrakon.__file__).parent),
        *(str(path.resolve()) for path in Path(ostrakon.__file__).parent.iterdir() if path.is_symlink()),
    )
)
_LIBRARY = tuple(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_CODE = re.compile(r"^[\s|]*    \S")
"""A line of source code below a frame of a traceback, or the marks below that line."""
_FRAME = re.compile(r'^\s*(?:[|+-]\s*)*File "([^"]+)", line (\d+)', re.MULTILINE)


def place_of(function: Any) -> str:
    """The place of a user's function or class, such as `tests/test_bank.py:12`; empty for other code."""
    function = inspect.unwrap(function) if callable(function) else function
    function = inspect.unwrap(function) if callable(function) else function
    if isinstance(function, type):
        function = vars(function).get("__init__")
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is None or not _is_users(code.co_filename):
        return ""
    return _place(code.co_filename, code.co_firstlineno)


def place_of_caller() -> str:
    """The innermost line of a user's code that is being run; empty if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return _place(frame.f_code.co_filename, frame.f_lineno) if frame is not None else ""


def place_of_error(error: BaseException) -> str:
    """The innermost line of a user's code in the traceback of an error; empty if there is none."""
    return place_in("".join(traceback.format_exception(error)))


def place_in(told: str) -> str:
    """The innermost line of a user's code in the text of a traceback; empty if there is none."""
    frames = [(path, int(line)) for path, line in _FRAME.findall(told) if _is_users(path)]
    return _place(*frames[-1]) if frames else ""


def users_part(told: str) -> str:
    """The text of a traceback without Ostrakon's frames; unchanged if it has no other frames."""
    if not any(_is_users(path) for path, _ in _FRAME.findall(told)):
        return told
    kept, is_kept = [], True
    for line in told.splitlines():
        frame = _FRAME.match(line)
        if frame is not None:
            is_kept = _is_users(frame[1])
        elif not _CODE.match(line):
            is_kept = True
        if is_kept:
            kept.append(line)
    return "\n".join(kept)


def at(place: str, sentence: str) -> str:
    """A sentence that begins with a place, if there is one."""
    return f"{place}: {sentence}" if place else sentence


def _is_users(path: str) -> bool:
    return not path.startswith((*_OURS, *_LIBRARY, "<"))


def _place(path: str, line: int) -> str:
    try:
        return f"{Path(path).resolve().relative_to(Path.cwd()).as_posix()}:{line}"
    except ValueError:
        return f"{path}:{line}"
