"""One worker process for whoever is no crew: under Dask, whose workers may not use multiprocessing.

A trial takes the whole process it runs in (time, sockets and threads are simulated there), so that it cannot
run inside of a Dask worker, which has a network of its own to attend to.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from socket import socketpair
from typing import Any, Generic, TypeVar

from ostrakon.harness.search.crew import LIVES, Done, Failed
from ostrakon.harness.search.worker import how_it_ended, serve

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Hand(Generic[_Job, _Result]):
    """Does one job after the other in a process of its own, and in a new one when that has died."""

    def __init__(self, work: Callable[[_Job], _Result], limit_s: float) -> None:
        self._work = work
        self._limit_s = limit_s
        self._hire()

    def do(self, job: _Job) -> Done[_Job, _Result] | Failed[_Job]:
        """Have a job done, and wait for it; a job that ends its worker is tried once more."""
        why = ""
        for _ in range(LIVES):
            try:
                self._pipe.send(job)
                how, result = self._pipe.recv()
            except (EOFError, OSError):
                why = how_it_ended(self._process.wait(), self._limit_s)
                self._pipe.close()
                self._hire()
            else:
                return Done(job, result) if how == "done" else Failed(job, "raised", result)
        return Failed(job, "died", why)

    def close(self) -> None:
        """Dismiss it at once."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    def _hire(self) -> None:
        ours, theirs = socketpair()
        with theirs:
            program = f"from ostrakon.harness.search.hand import begin; begin({theirs.fileno()})"
            self._process = subprocess.Popen([sys.executable, "-c", program], pass_fds=[theirs.fileno()])
        self._pipe: Connection[Any, Any] = Connection(ours.detach())
        with suppress(OSError):  # It is dead already: whoever sends the first job will find out.
            self._pipe.send((self._work, self._limit_s))


def begin(descriptor: int) -> None:
    """What the process runs; the first thing that it is sent says what its work is."""
    pipe: Connection[Any, Any] = Connection(descriptor)
    with pipe:
        work, limit_s = pipe.recv()
        serve(work, pipe, limit_s)
