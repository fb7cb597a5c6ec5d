"""Locks of `threading` in a simulated process: functions of `to_thread` can wait for each other on virtual
time.

All functions of a world run in one thread of the operating system. A real lock that one of them holds while
it blocks would stop the whole interpreter when another one waits for it, and a real `RLock` would let the
other one in, because it knows its owner by the thread. So within a process, a lock is an entry in a table of
the process: a process that is killed holds nothing afterwards, and a lock in a module does not connect
machines.

The methods are replaced on the classes, which are written in C, so it does not matter when a lock was made.
Conditions, events, semaphores and queues of `threading` and `queue` are built on locks and work, too. The
event loop can wait for them as well: then no task of the process runs, and its threads go on.
"""

from __future__ import annotations

import _queue
import _thread
import ctypes
import functools
import gc
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.kernel.kernel import NEVER_NS
from ostrakon.harness.sim.kernel.threads import Held

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_LOCK: type = type(_thread.allocate_lock())
_RLOCK: type = type(threading.RLock())
_QUEUE: type = _queue.SimpleQueue


@contextmanager
def virtual_locks(running_process: Callable[[], Resident | None]) -> Iterator[None]:
    """Run the body with the methods of locks replaced for simulated processes."""
    ours, real = _both(running_process)
    try:
        for kind, methods in ours.items():
            _put(kind, methods)
        yield
    finally:
        for kind, methods in real.items():
            _put(kind, methods)


@functools.cache
def _both(
    running_process: Callable[[], Resident | None],
) -> tuple[dict[type, dict[str, Any]], dict[type, dict[str, Any]]]:
    """The methods that replace others, and those."""
    ours: dict[type, dict[str, Any]] = {
        _LOCK: _methods(running_process, _LOCK, is_reentrant=False),
        _RLOCK: _methods(running_process, _RLOCK, is_reentrant=True),
        _QUEUE: _queue_methods(running_process),
    }
    return ours, {kind: {name: vars(kind)[name] for name in methods} for kind, methods in ours.items()}


def _put(kind: type, methods: Mapping[str, Any]) -> None:
    attributes: dict[str, Any] = gc.get_referents(vars(kind))[0]
    attributes.update(methods)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _methods(
    running_process: Callable[[], Resident | None], kind: type, *, is_reentrant: bool
) -> dict[str, Callable[..., Any]]:
    real: dict[str, Any] = dict(vars(kind))

    def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
        process = running_process()
        if process is None:
            return real["acquire"](self, blocking, timeout)  # type: ignore[no-any-return]
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        held = process.locks.get(self)
        if held is None:
            process.locks[self] = Held(process.thread)
            return True
        if is_reentrant and held.owner is process.thread:
            held.count += 1
            return True
        return blocking and timeout != 0 and _wait(process, self, timeout)

    def release(self: Any) -> None:
        process = running_process()
        held = None if process is None else process.locks.get(self)
        if process is None or held is None:
            real["release"](self)  # It was acquired outside of the process, or not at all.
            return
        if is_reentrant and held.owner is not process.thread:
            raise RuntimeError("cannot release un-acquired lock")
        held.count -= 1
        if held.count == 0:
            _give_back(process, self, held)

    def locked(self: Any) -> bool:
        process = running_process()
        return real["locked"](self) if process is None else self in process.locks

    def enter(self: Any) -> bool:
        return acquire(self)

    def leave(self: Any, *_: object) -> None:
        release(self)

    methods: dict[str, Callable[..., Any]] = {
        "acquire": acquire,
        "release": release,
        "__enter__": enter,
        "__exit__": leave,
        **{name: acquire for name in ("acquire_lock",) if name in real},
        **{name: release for name in ("release_lock",) if name in real},
        **{name: locked for name in ("locked", "locked_lock") if name in real},
    }
    return {**methods, **_ownership(running_process, real)} if is_reentrant else methods


def _ownership(
    running_process: Callable[[], Resident | None], real: Mapping[str, Any]
) -> dict[str, Callable[..., Any]]:
    """The methods that a condition calls on its `RLock`."""

    def is_owned(self: Any) -> bool:
        process = running_process()
        if process is None:
            return real["_is_owned"](self)  # type: ignore[no-any-return]
        held = process.locks.get(self)
        return held is not None and held.owner is process.thread

    def release_save(self: Any) -> Any:
        process = running_process()
        held = None if process is None else process.locks.get(self)
        if process is None or held is None:
            return real["_release_save"](self)
        count = held.count
        _give_back(process, self, held)
        return count

    def acquire_restore(self: Any, saved: Any) -> None:
        process = running_process()
        if process is None:
            real["_acquire_restore"](self, saved)
            return
        if self in process.locks:
            _wait(process, self, -1)
        process.locks[self] = Held(process.thread, saved, _waiting(process, self))

    def recursion_count(self: Any) -> int:
        process = running_process()
        if process is None:
            return real["_recursion_count"](self)  # type: ignore[no-any-return]
        held = process.locks.get(self)
        return held.count if held is not None and held.owner is process.thread else 0

    ours: dict[str, Callable[..., Any]] = {
        "_is_owned": is_owned,
        "_release_save": release_save,
        "_acquire_restore": acquire_restore,
        "_recursion_count": recursion_count,
    }
    return {name: method for name, method in ours.items() if name in real}


def _waiting(process: Resident, lock: Any) -> deque[Any]:
    held = process.locks.get(lock)
    return deque() if held is None else held.waiting


def _wait(process: Resident, lock: Any, timeout: float) -> bool:
    """Wait until the lock is free and take it; False if the time is up."""
    until_ns = _until_ns(process, None if timeout < 0 else timeout)
    while (held := process.locks.get(lock)) is not None:
        if process.kernel.now_ns >= until_ns:
            return False
        _block(process, held.waiting, until_ns)
    process.locks[lock] = Held(process.thread)
    return True


def _until_ns(process: Resident, timeout: float | None) -> int:
    clock = process.machine.clock
    return NEVER_NS if timeout is None else clock.true_ns(clock.current_time() + timeout)


def _block(process: Resident, waiting: deque[Any], until_ns: int) -> None:
    """Wait until woken or until a time."""
    thread = process.thread
    waiter = _WaitingMainThread() if thread is None or thread.is_main else thread
    waiting.append(waiter)
    try:
        process.block(until_ns, waiter)
    finally:
        if waiter in waiting:
            waiting.remove(waiter)


class _WaitingMainThread:
    """Stands for the main thread, which runs the event loop, among those that wait for a lock."""

    def __init__(self) -> None:
        self.is_due = False

    def wake(self) -> None:
        self.is_due = True


def _give_back(process: Resident, lock: Any, held: Held) -> None:
    """Release the lock and wake its waiters; the first waiter that runs gets it."""
    del process.locks[lock]
    for thread in held.waiting:
        thread.wake()


def _queue_methods(running_process: Callable[[], Resident | None]) -> dict[str, Callable[..., Any]]:
    """Those of `SimpleQueue`, which is written in C and has a lock of its own."""
    real: dict[str, Any] = dict(vars(_QUEUE))

    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        process = running_process()
        if process is None or not block:
            return real["get"](self, block, timeout)
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        until_ns = _until_ns(process, timeout)
        while real["empty"](self):
            if process.kernel.now_ns >= until_ns:
                raise queue.Empty
            _block(process, process.waiting_for.setdefault(self, deque()), until_ns)
        return real["get"](self, False)

    def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        real["put"](self, item)
        process = running_process()
        for thread in () if process is None else process.waiting_for.pop(self, ()):
            thread.wake()

    return {"get": get, "put": put, "put_nowait": put}
