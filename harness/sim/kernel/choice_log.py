"""The choice log: every choice of a run in order, with the code that made it. A second run is compared with
it.

A simulation that is not deterministic depends on something outside: the real clock, a thread, the order of a
set of strings, an address. `check_determinism` runs the simulation twice, and stops the second run at the
first choice that differs, with the stacks of both.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import NamedTuple

_MACHINERY = (
    *(f"{os.sep}trio{os.sep}", f"{os.sep}outcome{os.sep}", f"{os.sep}contextlib.py"),
    f"{os.sep}harness{os.sep}sim{os.sep}",
    os.path.join(os.path.dirname(os.__file__), "asyncio") + os.sep,
)
_LOOPS = ("unrolled_run", "passes", "tick", "_loop")
"""The functions that step tasks and processes; frames outside of them are not the program's."""
_FRAMES = 6
_NOBODYS = frozenset(["next process", "order of tasks", "order of sockets", "order of timers", "run"])
"""Choices that are made while no program runs; they have no stack."""
_OURS = 3
"""How many of the innermost frames are always the harness's: `note`, `note_choice` and who called that."""
_KEYS = 4
"""How many of a choice's fields must be equal in two runs of one seed: all but the stack."""

_Stack = tuple[tuple[CodeType, int], ...]
_Noted = tuple[int, str, tuple[str | int, ...], str | None, _Stack]


class Choice(NamedTuple):
    """One moment at which a run could have gone otherwise."""

    time_ns: int
    what: str
    """`next process`, `order of tasks`, `run`, `send`, `draw` or `disk`."""
    chosen: tuple[str | int, ...]
    process: str | None
    """The process that was running."""
    stack: _Stack
    """The program's own frames, innermost first: the code, and which of its instructions was at work."""

    def __str__(self) -> str:
        chosen = " ".join(map(str, self.chosen))
        lines = [f"at {self.time_ns / 1e9:.9f} s {self.process or 'the kernel'}: {self.what} {chosen}"]
        for code, instruction in self.stack:
            lines.append(f"    {code.co_filename}:{_line(code, instruction)} in {code.co_name}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Diverged:
    """The first choice in which two runs differ."""

    position: int
    """How many choices were equal."""
    first: Choice | None
    """What the first run chose; None if it was over."""
    second: Choice | None
    """What the second run chose; None if it was over."""

    def __str__(self) -> str:
        return (
            f"not deterministic: {self.position} choices are equal, then\n"
            f"the first run: {self.first or 'was over'}\n"
            f"the second run: {self.second or 'was over'}"
        )


class ChoiceLog:
    """Records the choices of a world; with `expected`, compares them with those of another run instead."""

    def __init__(self, expected: ChoiceLog | None = None) -> None:
        self.length = 0
        """How many choices were noted."""
        self.diverged: Diverged | None = None
        self._noted: list[_Noted] = []
        self._expected = expected._noted if expected is not None else None

    @property
    def choices(self) -> list[Choice]:
        """What was recorded, in order; nothing if there was something to compare with."""
        return list(map(Choice._make, self._noted))

    def note(self, time_ns: int, process: str | None, what: str, chosen: tuple[str | int, ...]) -> bool:
        """Record a choice; the arguments are those of `Kernel.note_choice`. Returns whether it is the wrong
        one."""
        if self.diverged is not None:
            return True
        # Reading a frame makes it slower from then on, so frames are read only where they are needed.
        stack = () if what in _NOBODYS else _stack(sys._getframe(_OURS))
        noted = (time_ns, what, chosen, process, stack)  # A named one costs twice as much.
        if self._expected is None:
            self._noted.append(noted)
        else:
            expected = self._expected[self.length] if self.length < len(self._expected) else None
            if expected is None or expected[:_KEYS] != noted[:_KEYS]:
                first = Choice._make(expected) if expected is not None else None
                self.diverged = Diverged(self.length, first, Choice._make(noted))
        self.length += 1
        return self.diverged is not None

    def end(self) -> None:
        """Record the end of the run, which must not be shorter than expected."""
        if self._expected is not None and self.diverged is None and self.length < len(self._expected):
            self.diverged = Diverged(self.length, Choice._make(self._expected[self.length]), None)


def check_determinism(simulate: Callable[[ChoiceLog], object]) -> Diverged | None:
    """Run a simulation twice; None if both runs make the same choices, else the first difference.

    `simulate` makes its world with the log that it is given, `World(seed, choice_log=log)`, and runs it. Both
    runs are in this interpreter: what depends on Python's hash seed shows only between two interpreters.
    """
    first = ChoiceLog()
    simulate(first)
    second = ChoiceLog(expected=first)
    simulate(second)
    second.end()
    return second.diverged


def _stack(frame: FrameType | None) -> _Stack:
    found: list[tuple[CodeType, int]] = []
    while frame is not None:
        code = frame.f_code
        if not _is_machinery(code.co_filename):
            found.append((code, frame.f_lasti))  # The line is computed when it is shown.
            if len(found) == _FRAMES:
                break
        elif code.co_name in _LOOPS:
            break
        frame = frame.f_back
    return tuple(found)


def _line(code: CodeType, instruction: int) -> int | None:
    line, *_ = next(itertools.islice(code.co_positions(), instruction // 2, None))
    return line


@functools.cache
def _is_machinery(filename: str) -> bool:
    return any(part in filename for part in _MACHINERY)
