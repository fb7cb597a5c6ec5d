"""What a simulated process may not do: each call is refused, with what to use instead.

Functions are replaced where that reaches everybody who calls them. What is written in C and has its own way
to the real world (SQLite, `mmap`, a raw socket) is met by an audit hook (PEP 578). Hooks cannot be removed;
this one is installed with the first world and looks away whenever no simulated process runs.
"""

from __future__ import annotations

import _posixshmem  # type: ignore[import-not-found]
import _thread
import multiprocessing.context
import multiprocessing.process
import os
import resource
import select
import selectors
import signal
import socket
import subprocess
import sys
import syslog
import time
from collections.abc import Callable, Iterator
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.disk.filesystem import WRITING, is_installed
from ostrakon.harness.sim.disk.open_file import FIRST_DESCRIPTOR
from ostrakon.harness.sim.kernel.errors import refusal, refuse
from ostrakon.harness.sim.sandbox.databases import judge_connection

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_MACHINE = "start another machine in the world"
_STREAMS = "use trio.socket, or the sockets and streams of asyncio or Trio"
_INLINE = "use threading.Thread(), trio.to_thread.run_sync() or asyncio.to_thread()"
_TASKS = "use an event, a channel or a queue of Trio or asyncio"
_SIGNALS = "use trio.open_signal_receiver(), or add_signal_handler() of asyncio"
_PROCESS = "leave it to whoever starts the program: all machines share this process"
_LOGGING = "log to a file or to the standard error"
_WAITS_FOR_SIGNALS = ("pause", "sigwait", "sigwaitinfo", "sigtimedwait")
_CHANGES_OF_PROCESS = (
    *("nice", "setpriority", "sched_setaffinity", "sched_setparam", "sched_setscheduler", "chroot"),
    *("setsid", "setpgid", "setpgrp", "setuid", "seteuid", "setreuid", "setresuid"),
    *("setgid", "setegid", "setregid", "setresgid", "setgroups", "initgroups"),
)
_OF_PROCESSES = (
    *("Manager", "Pipe", "Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Event", "Barrier"),
    *("Queue", "JoinableQueue", "SimpleQueue", "Pool", "RawValue", "RawArray", "Value", "Array"),
)
_FUNCTIONS: tuple[tuple[Any, str, str, str], ...] = (
    (socket, "socketpair", "socket.socketpair()", _STREAMS),
    (_thread, "start_new_thread", "starting a thread", _INLINE),
    (subprocess.Popen, "__init__", "starting a process", _MACHINE),
    (os, "fork", "os.fork()", _MACHINE),
    (os, "system", "os.system()", _MACHINE),
    (os, "pipe", "os.pipe()", "use a channel or a queue, or streams"),
    (os, "pipe2", "os.pipe2()", "use a channel or a queue, or streams"),
    (os, "abort", "os.abort()", "raise SystemExit, or let the nemesis kill it"),
    (os, "pidfd_open", "os.pidfd_open()", _MACHINE),
    (os, "unshare", "os.unshare()", _PROCESS),
    (os, "timerfd_create", "os.timerfd_create()", "use a sleep of Trio or asyncio"),
    (_thread, "start_new", "starting a thread", _INLINE),
    (_thread, "start_joinable_thread", "starting a thread", _INLINE),
    (_thread, "interrupt_main", "_thread.interrupt_main()", "use signal.raise_signal()"),
    (time, "clock_settime", "setting the clock", "let the nemesis do it (Clock.step, Clock.skip)"),
    (time, "clock_settime_ns", "setting the clock", "let the nemesis do it (Clock.step, Clock.skip)"),
    (socket, "sethostname", "socket.sethostname()", "a machine has the name that the world gave it"),
    *((signal, name, f"signal.{name}()", _SIGNALS) for name in ("pthread_sigmask", "set_wakeup_fd")),
    (signal, "pidfd_send_signal", "signal.pidfd_send_signal()", "let the nemesis kill it"),
    (_posixshmem, "shm_open", "shared memory", _MACHINE),
    (_posixshmem, "shm_unlink", "shared memory", _MACHINE),
    (multiprocessing.process.BaseProcess, "start", "starting a process", _MACHINE),
    *(
        (owner, name, f"multiprocessing.{name}()", "use threads, and what threading and queue have for them")
        for name in _OF_PROCESSES
        for owner in (multiprocessing, multiprocessing.context.BaseContext)
    ),
    (os, "memfd_create", "os.memfd_create()", "use a file in /tmp, or io.BytesIO"),
    (os, "eventfd", "os.eventfd()", _TASKS),
    (os, "openpty", "os.openpty()", "there is no terminal"),
    *((signal, name, f"signal.{name}()", _SIGNALS) for name in _WAITS_FOR_SIGNALS),
    *((os, name, f"os.{name}()", _PROCESS) for name in _CHANGES_OF_PROCESS),
    (resource, "setrlimit", "resource.setrlimit()", _PROCESS),
    (resource, "prlimit", "resource.prlimit()", _PROCESS),
    (syslog, "openlog", "syslog", _LOGGING),
    (syslog, "syslog", "syslog", _LOGGING),
    (select, "select", "select.select()", _STREAMS),
    (select, "poll", "select.poll()", _STREAMS),
    (select, "epoll", "select.epoll()", _STREAMS),
    (select, "kqueue", "select.kqueue()", _STREAMS),
    (selectors._BaseSelectorImpl, "__init__", "a selector", _STREAMS),
)
_EVENTS: dict[str, str] = {
    "builtins.input": "let a client ask over the network",
    "os.exec": _MACHINE,
    "os.forkpty": _MACHINE,
    "os.posix_spawn": _MACHINE,
    "os.kill": "let the nemesis kill it",
    "os.killpg": "let the nemesis kill it",
    "signal.pthread_kill": "let the nemesis kill it",
    "socket.connect": _STREAMS,
    "socket.bind": _STREAMS,
    "socket.sendto": _STREAMS,
    "socket.sendmsg": _STREAMS,
    "socket.getnameinfo": "use trio.socket.getnameinfo()",
}
"""Audit events of actions that are never simulated."""
_CHANGES = frozenset(
    f"os.{change}"
    for change in (
        *("chdir", "chflags", "chmod", "chown", "link", "mkdir", "remove", "removexattr", "rename"),
        *("rmdir", "setxattr", "symlink", "truncate", "utime"),
    )
)
"""Audit events of changing the real file system, which a simulated process has no part of."""
_FILES = "use open(), os and pathlib as they are when they are called, not as they were imported"


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacements for the functions that are refused; `sandbox.py` installs them."""
    for owner, name, called, instead in _FUNCTIONS:
        real = getattr(owner, name, None)
        if real is not None:
            yield owner, name, simulated(real, refusal(called, instead))


@cache
def guard(running_process: Callable[[], Resident | None]) -> None:
    """Install the audit hook; `running_process()` says who must be held back, if anyone."""

    def audit(event: str, args: tuple[Any, ...]) -> None:
        # Nearly all events are of no interest; the look at the name comes first because it is cheap.
        if event not in _WATCHED:
            return
        process = running_process()
        if process is not None:
            _judge(process, event, args)

    sys.addaudithook(audit)


_WATCHED = frozenset(_EVENTS) | _CHANGES | {"open", "mmap.__new__", "sqlite3.connect"}


def _judge(process: Resident, event: str, args: tuple[Any, ...]) -> None:
    """Raise NotSimulated if the event reaches the real world."""
    if _is_debugging():
        return
    if event in _EVENTS:
        refuse(process, f"{event}()", _EVENTS[event])
    elif event == "sqlite3.connect":
        judge_connection(process, args[0])
    elif event == "mmap.__new__":
        if args[0] >= FIRST_DESCRIPTOR:
            refuse(process, "mmap of a file", "read and write it")
    elif event == "open":
        writes = bool(args[2] & WRITING)
        if not _is_cache(args[0]) and (writes or not _is_import()):
            refuse(process, f"{'writing to' if writes else 'reading'} the real file {args[0]}", _FILES)
    elif not _is_cache(args[0]):
        refuse(process, f"{event}({args[0]!r})", _FILES)


_DEBUGGERS = frozenset(("pdb", "bdb", "pudb.debugger", "IPython.core.debugger", "_pytest.debugging"))
"""Modules whose frames are on the stack while a person looks at a process that stands still."""


def _is_debugging() -> bool:
    """Whether a debugger does it: it talks to the real terminal, and reads real source files.

    Virtual time stands still meanwhile, because nothing else of the world runs.
    """
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        if frame.f_globals.get("__name__") in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False


def _is_import() -> bool:
    """Whether Python reads something to import it; that may be anywhere, and is the same for all machines."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith(("<frozen importlib.", "<frozen zipimport")):
            return True
        frame = frame.f_back
    return False


def _is_cache(path: Any) -> bool:
    """Whether Python itself writes there what it has compiled, or it is no path at all."""
    if path is None or isinstance(path, int):
        return True
    return is_installed(path) or "__pycache__" in os.fsdecode(path)
