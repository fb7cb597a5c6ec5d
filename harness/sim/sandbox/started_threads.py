"""Threads of a process: those that a program starts itself, and what code is told of the thread it runs in.

A thread that a program starts (`threading.Thread`, and with it timers and pools of threads) is a function on
virtual time, like those of `to_thread`: it runs up to where it blocks, and goes on when its time has come. It
begins in the pass of the event loop after its start. A daemon ends with the program, and so does a thread
that waits without a time limit.

All of them run in one thread of the operating system. So each process has `Thread` objects and numbers of its
own for its main thread, for threads that it starts, and for those in which `to_thread` calls functions.
"""

from __future__ import annotations

import _thread
import _threading_local
import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.kernel.errors import refuse
from ostrakon.harness.sim.kernel.threads import MAIN_THREAD, SimThread
from ostrakon.harness.sim.runtimes.trio import threads

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_DONE = "_ostrakon_done"
"""The attribute of a thread that was started in a process: an event, set when the thread has ended."""
_DISTANCE = 1 << 23
"""The distance between the numbers of two threads: the size of a stack."""


class _MainThread(threading.Thread):
    """The main thread of a process. Python's own class has this name, too."""


class PythonThreads:
    """What `threading` knows of the threads of one process."""

    def __init__(self) -> None:
        self.by_function: dict[SimThread, threading.Thread] = {}
        """The threads that run, by the functions that they run."""
        self.names = count(1)
        """Numbers for the names that Python gives: Thread-1, Thread-2."""
        self.pools = count()
        """Numbers for the names of pools: ThreadPoolExecutor-0, ..."""
        self._numbers = count(1)
        self._main: threading.Thread | None = None
        self._workers: list[threading.Thread] = []
        """The threads of `to_thread`, which serve one function after the other."""

    def main(self) -> threading.Thread:
        """The main thread."""
        if self._main is None:
            self._main = _MainThread(name="MainThread", daemon=False)
            self._begin(self._main, 0)
        return self._main

    def begin(self, thread: threading.Thread) -> None:
        """Give a thread that has started its numbers."""
        self._begin(thread, next(self._numbers))

    def of(self, function: SimThread | None) -> threading.Thread:
        """The thread that runs this function; of None, the one that runs the event loop."""
        if function is None or function.is_main:
            return self.main()
        thread = self.by_function.get(function)
        if thread is None:
            thread = self.by_function[function] = self._idle_worker()
            thread.name = function.name or thread.name
        return thread

    def running(self, process: Resident) -> list[threading.Thread]:
        """The main thread and all others that have not ended."""
        threads = [self.main()]
        threads += (self.of(function) for function in process.threads if not function.is_main)
        threads += (thread for thread in self.by_function.values() if thread not in threads)
        return threads

    def _idle_worker(self) -> threading.Thread:
        for function, thread in list(self.by_function.items()):
            if thread in self._workers and function.outcome is not None:
                del self.by_function[function]
                return thread
        thread = threading.Thread(name="worker", daemon=True)
        self.begin(thread)
        self._workers.append(thread)
        return thread

    def _begin(self, thread: Any, number: int) -> None:
        thread._started.set()
        _let_python_take_it_for_ended(thread)
        thread._ident, thread._native_id = MAIN_THREAD - number * _DISTANCE, os.getpid() + number
        setattr(thread, _DONE, threading.Event())


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """What stands in for methods of `Thread` and functions of `threading`, for `sandbox.py` to install.

    The `local` that is written in C keeps its attributes by thread of the operating system, of which there is
    one.
    """
    kind: Any = threading.Thread
    for name, ours in (
        *(("start", _start), ("join", _join), ("is_alive", _is_alive)),
        ("__repr__", _show),
    ):
        yield kind, name, _method(simulated, getattr(kind, name), ours)
    yield threading, "local", _threading_local.local
    for name, told in (
        ("current_thread", _current),
        ("main_thread", lambda process: process.python_threads.main()),
        ("get_ident", lambda process: _current(process)._ident),
        ("get_native_id", lambda process: _current(process)._native_id),
        ("enumerate", lambda process: process.python_threads.running(process)),
        ("active_count", lambda process: len(process.python_threads.running(process))),
        ("_counter", lambda process: next(process.python_threads.names)),
    ):
        yield threading, name, simulated(getattr(threading, name), told)
    # A made-up number of a thread would make the real function read memory that is not there.
    clock = time.CLOCK_THREAD_CPUTIME_ID
    yield time, "pthread_getcpuclockid", simulated(time.pthread_getcpuclockid, lambda process, ident: clock)
    pool: Any = ThreadPoolExecutor
    number = simulated(pool._counter, lambda process: next(process.python_threads.pools))
    yield pool, "_counter", staticmethod(number)
    yield pool, "__init__", _method(simulated, pool.__init__, _make_pool)


class _Ordered(dict[Any, None]):
    """What a pool of threads needs of a set, in the order in which threads were added."""

    def add(self, thread: Any) -> None:
        self[thread] = None


def _make_pool(process: Resident, real: Callable[..., None], pool: Any, *args: Any, **kwargs: Any) -> None:
    real(pool, *args, **kwargs)
    pool._threads = _Ordered()


def _method(simulated: Callable[..., Any], real: Callable[..., Any], ours: Callable[..., Any]) -> Any:
    call = simulated(real, lambda process, self, *args, **kwargs: ours(process, real, self, *args, **kwargs))

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs)

    return method


def _start(process: Resident, real: Callable[..., Any], thread: Any) -> None:
    if not thread._initialized:
        raise RuntimeError("thread.__init__() not called")
    if thread._started.is_set():
        raise RuntimeError("threads can only be started once")
    body = SimThread(process, partial(_live, process, thread), (), contextvars.Context())
    process.python_threads.begin(thread)
    process.python_threads.by_function[body] = thread
    if process.event_loop is not None:
        process.event_loop.start_thread(body)
    elif process.thread is None:
        threads.start(process, body, thread.name, is_daemon=thread.daemon)
    else:
        process.thread.call(partial(threads.start, process, body, thread.name, is_daemon=thread.daemon))


def _live(process: Resident, thread: Any) -> None:
    try:
        thread.run()
    except Exception:
        if not _is_over(process):
            thread._invoke_excepthook(thread)
    except SystemExit:
        pass
    finally:
        getattr(thread, _DONE).set()
        if process.thread is not None:
            process.python_threads.by_function.pop(process.thread, None)


def _is_over(process: Resident) -> bool:
    """Whether the process was killed, so that an error is that of its unwinding."""
    try:
        process.require_alive()
    except OSError:
        return True
    return False


def _let_python_take_it_for_ended(thread: Any) -> None:
    """Nothing at the end of the interpreter may wait for a thread that the system does not have."""
    if hasattr(thread, "_handle"):
        # Python 3.13 raises an error when the handle of a thread that never began is marked as done.
        thread._handle = _thread._make_thread_handle(0)  # type: ignore[attr-defined]
        thread._handle._set_done()
    else:
        thread._is_stopped = True


def _join(process: Resident, real: Callable[..., Any], thread: Any, timeout: float | None = None) -> None:
    if not thread._started.is_set():
        raise RuntimeError("cannot join thread before it is started")
    if thread is threading.current_thread():
        raise RuntimeError("cannot join current thread")
    done: threading.Event | None = getattr(thread, _DONE, None)
    if done is None:
        # The real method would acquire a lock of that thread. Inside a process, that lock is a simulated one
        # and is free, from which Python before 3.13 concludes that the thread has ended.
        refuse(
            process, "waiting for a thread from outside of the simulation", "start the thread in the program"
        )
    if not done.is_set():
        done.wait(timeout if timeout is None else max(timeout, 0))


def _is_alive(process: Resident, real: Callable[..., Any], thread: Any) -> bool:
    done: threading.Event | None = getattr(thread, _DONE, None)
    if done is not None:
        return not done.is_set()
    is_over = thread._handle.is_done() if hasattr(thread, "_handle") else thread._is_stopped
    return bool(thread._started.is_set() and not is_over)


def _show(process: Resident, real: Callable[..., Any], thread: Any) -> str:
    """As the real method does, which asks for what `_let_python_take_it_for_ended` has set."""
    status = "initial"
    if thread._started.is_set():
        status = "started" if thread.is_alive() else "stopped"
    daemon = " daemon" if thread.daemon else ""
    number = "" if thread.ident is None else f" {thread.ident}"
    return f"<{type(thread).__name__}({thread.name}, {status}{daemon}{number})>"


def _current(process: Resident) -> Any:
    return process.python_threads.of(process.thread)
