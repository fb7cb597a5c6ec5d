"""Errors of a simulation itself, not of the program in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol


class _Named(Protocol):
    """A simulated process, as far as an error message needs to know it."""

    @property
    def name(self) -> str: ...


class SimulationError(Exception):
    """The simulator or its use is at fault, never the program under test."""


class UnsupportedTrio(SimulationError):
    """The installed Trio is not built as the simulator needs it."""


class UnsupportedAsyncio(SimulationError):
    """The asyncio of this Python is not built as the simulator needs it."""


class NotSimulated(RuntimeError):
    """A simulated program reached for the real world; the message says what to use instead.

    It is raised inside the program, at the call.
    """


def refuse(process: _Named, called: str, instead: str) -> NoReturn:
    """Tell a simulated process what to use instead of what it called. Raises: NotSimulated."""
    raise NotSimulated(f"{called} is not simulated (called by {process.name}): {instead}")


def refusal(called: str, instead: str) -> Callable[..., NoReturn]:
    """What stands in for a function that is not simulated: called with the process first, it refuses."""
    return lambda process, *_, **__: refuse(process, called, instead)
