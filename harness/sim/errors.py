"""What can go wrong with a simulation itself, as opposed to the program inside it."""

from __future__ import annotations


class SimulationError(Exception):
    """The simulator or its use is at fault, never the program under test."""


class UnsupportedTrio(SimulationError):
    """The installed Trio is not built as the simulator needs it."""


class NotSimulated(RuntimeError):
    """A simulated program reached for the real world; the message says what to use instead.

    It is raised inside the program, at the call.
    """


def root_cause(error: BaseException) -> BaseException:
    """The first single error in a group, such as a nursery makes of what its tasks raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
