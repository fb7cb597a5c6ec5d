"""A worker process: it takes jobs from a pipe, does them one by one, and puts the answers into the same pipe.

A worker runs in a session of its own, so that a ctrl-C at the terminal reaches only the parent, which ends
the campaign in order. It ends by itself when the parent is gone, or when a job takes too long.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from socket import socketpair
from typing import Any, Protocol, TypeAlias

from ostrakon.harness.sim import enclosed

Pipe: TypeAlias = "Connection[Any, Any]"  # At run time the class takes no parameters.
Work = Callable[[Any], Any]


class Process(Protocol):
    """What the pool needs of the process that a worker runs in."""

    @property
    def pid(self) -> int | None:
        """Its number."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int | None:
        """Wait until it has ended; returns its exit status, negative for a signal."""


Start = Callable[[Work, float], tuple[Process, Pipe]]
"""Starts a worker that does this work, with so many seconds for each job."""


def from_fork_server(warm: Sequence[str]) -> Start:
    """Start workers from a server that has imported the modules `warm`, so that each begins in
    milliseconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(warm))

    def start(work: Work, limit_s: float) -> tuple[Process, Pipe]:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(work, theirs, limit_s), daemon=True)
        process.start()
        theirs.close()
        return _Forked(process), ours

    return start


def as_subprocess(work: Work, limit_s: float) -> tuple[Process, Pipe]:
    """Start a worker without multiprocessing, which a Dask worker may not use because it is a daemon
    itself.
    """
    ours, theirs = socketpair()
    with theirs:
        # The same path of modules as here, so that it finds the same code.
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import begin; "
        program += f"begin({theirs.fileno()})"
        process = subprocess.Popen([sys.executable, "-c", program], pass_fds=[theirs.fileno()])
    pipe: Pipe = Connection(ours.detach())
    with suppress(OSError):  # It has died already: whoever sends the first job finds out.
        pipe.send((work, limit_s))
    return process, pipe


def begin(descriptor: int) -> None:
    """The program of a worker that was started as a subprocess; its work is the first thing that it is
    sent.
    """
    pipe: Pipe = Connection(descriptor)
    with pipe:
        work, limit_s = pipe.recv()
        serve(work, pipe, limit_s)


def serve(work: Work, pipe: Pipe, limit_s: float) -> None:
    """Do jobs until the other end of the pipe is closed; a job that takes more than `limit_s` ends the
    process.
    """
    os.setsid()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with enclosed():  # Most jobs are short trials in simulation.
        _serve(work, pipe, limit_s)


def _serve(work: Work, pipe: Pipe, limit_s: float) -> None:
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        # The signal's default action ends the process even in the middle of an endless loop in C.
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


def how_it_ended(exit_status: int | None, limit_s: float) -> str:
    """How a worker ended, in words."""
    match exit_status:
        case int() if exit_status == -signal.SIGALRM:
            return f"it ran for more than {limit_s:g} s of wall time and was ended"
        case int() if exit_status < 0:
            return f"the worker process was ended by {signal.Signals(-exit_status).name}"
        case _:
            return f"the worker process ended with exit status {exit_status}"


class _Forked:
    """A process of multiprocessing, with the interface of `subprocess.Popen`."""

    def __init__(self, process: multiprocessing.context.ForkServerProcess) -> None:
        self._process = process
        self.pid = process.pid

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int | None:
        self._process.join()
        exit_status = self._process.exitcode
        self._process.close()
        return exit_status
