"""Errors as every substrate handles them: groups taken apart, and injected errors told from a program's own.

A device that a fault makes fail raises an OSError inside the program. A program that gives up because of such
an error has done nothing wrong, so the error carries a note, and a trial looks for that note.
"""

from __future__ import annotations

import os

_NOTE = "(the simulated device was told to fail)"


def injected_error(number: int) -> OSError:
    """The OSError with this errno, marked as injected by a fault."""
    error = OSError(number, os.strerror(number))
    error.add_note(_NOTE)
    return error


def is_injected(error: BaseException) -> bool:
    """Whether an error is, contains, or was caused by an injected one."""
    if _NOTE in getattr(error, "__notes__", ()):
        return True
    causes = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        causes += error.exceptions
    return any(is_injected(cause) for cause in causes if cause is not None)


def root_cause(error: BaseException) -> BaseException:
    """The first single error in a group, such as a nursery makes of what its tasks raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
