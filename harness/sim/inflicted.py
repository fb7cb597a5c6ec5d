"""Errors of devices that were made to fail: programs see an OSError, and a trial sees whose doing it was.

A program that gives up because of such an error has done nothing wrong.
"""

from __future__ import annotations

import os

_NOTE = "(the simulated device was told to fail)"


def inflicted(number: int) -> OSError:
    """The error that a system call fails with; its traceback tells that it was done on purpose."""
    error = OSError(number, os.strerror(number))
    error.add_note(_NOTE)
    return error


def is_inflicted(error: BaseException) -> bool:
    """Whether an error is, contains or comes of one that was inflicted."""
    if _NOTE in getattr(error, "__notes__", ()):
        return True
    causes = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        causes += error.exceptions
    return any(is_inflicted(cause) for cause in causes if cause is not None)
