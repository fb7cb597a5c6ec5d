"""A worker process's life: jobs come in at one end of a pipe, and answers go out by the same."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def serve(work: Callable[[Any], Any], pipe: Connection[Any, Any], limit_s: float) -> None:
    """Do jobs until nobody is at the other end; ends with the process if one takes more than `limit_s`."""
    os.setsid()  # Ctrl-C at the terminal is for the parent, who ends the campaign in order.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        # Its default action ends us even in the middle of an endless loop in C.
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            answer = ("done", work(job))
        except Exception:
            answer = ("raised", traceback.format_exc())
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            pipe.send(answer)
        except OSError:
            return


def how_it_ended(exitcode: int | None, limit_s: float) -> str:
    """The end of a worker in words."""
    match exitcode:
        case int() if exitcode == -signal.SIGALRM:
            return f"it ran for more than {limit_s:g} s of wall time and was ended"
        case int() if exitcode < 0:
            return f"the worker process was ended by {signal.Signals(-exitcode).name}"
        case _:
            return f"the worker process ended with exit status {exitcode}"
