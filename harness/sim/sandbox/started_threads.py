"""Threads that a program starts itself: `threading.Thread`, and with it timers and pools of threads.

Such a thread is a function that runs as if in a thread, like those of `to_thread`: up to where it blocks it
runs at once, and it goes on when its time has come. It begins in the pass of the event loop after its start.
A daemon ends with the program, and so does a thread that waits without a time limit.
"""

from __future__ import annotations

import _thread
import _threading_local
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.kernel.errors import refuse
from ostrakon.harness.sim.kernel.threads import SimThread
from ostrakon.harness.sim.runtimes.trio import threads

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_DONE = "_ostrakon_done"
"""The attribute of a thread that was started in a process: an event, set when the thread has ended."""


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """What stands in for methods of `Thread`, for `current_thread` and `local`, for `sandbox.py` to install.

    The `local` that is written in C keeps its attributes by thread of the operating system, of which there is
    one.
    """
    kind = threading.Thread
    for name, ours in (("start", _start), ("join", _join), ("is_alive", _is_alive)):
        real = getattr(kind, name)
        yield kind, name, _method(simulated, real, ours)
    yield threading, "local", _threading_local.local
    real_current = threading.current_thread
    yield threading, "current_thread", simulated(real_current, partial(_current, real_current))


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
    done = threading.Event()
    setattr(thread, _DONE, done)
    body = SimThread(process, partial(_live, process, thread, done), ())
    if process.event_loop is not None:
        process.event_loop.start_thread(body)
    elif process.thread is None:
        threads.start(process, body, thread.name, is_daemon=thread.daemon)
    else:
        process.thread.call(partial(threads.start, process, body, thread.name, is_daemon=thread.daemon))
    thread._started.set()
    _let_python_take_it_for_ended(thread)
    process.started_threads[body] = thread


def _live(process: Resident, thread: Any, done: threading.Event) -> None:
    try:
        thread.run()
    except Exception:
        if not _is_over(process):
            thread._invoke_excepthook(thread)
    except SystemExit:
        pass
    finally:
        done.set()


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
    done: threading.Event | None = getattr(thread, _DONE, None)
    if done is None:
        _join_other(process, thread)
        return
    if thread is threading.current_thread():
        raise RuntimeError("cannot join current thread")
    if not done.is_set():
        done.wait(timeout if timeout is None else max(timeout, 0))


def _join_other(process: Resident, thread: Any) -> None:
    """Of a thread that no simulated program has started.

    The real method would acquire a lock of that thread. Inside a process, that lock is a simulated one and is
    free, from which Python before 3.13 concludes that the thread has ended, even the main thread.
    """
    if not thread._started.is_set():
        raise RuntimeError("cannot join thread before it is started")
    if thread is threading.current_thread():
        raise RuntimeError("cannot join current thread")
    refuse(process, "waiting for a thread from outside of the simulation", "start the thread in the program")


def _is_alive(process: Resident, real: Callable[..., Any], thread: Any) -> bool:
    done: threading.Event | None = getattr(thread, _DONE, None)
    if done is not None:
        return not done.is_set()
    is_over = thread._handle.is_done() if hasattr(thread, "_handle") else thread._is_stopped
    return bool(thread._started.is_set() and not is_over)


def _current(real: Callable[[], threading.Thread], process: Resident) -> threading.Thread:
    own = None if process.thread is None else process.started_threads.get(process.thread)
    return real() if own is None else own
