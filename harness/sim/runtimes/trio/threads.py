"""What stands in for `trio.to_thread` and `trio.from_thread` in a simulated process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, Protocol

import trio
from outcome import Outcome, acapture, capture
from trio.lowlevel import Abort, Task

from ostrakon.harness.sim.kernel import threads
from ostrakon.harness.sim.kernel.kernel import NEVER_NS, Kernel
from ostrakon.harness.sim.kernel.threads import Call, SimThread
from ostrakon.harness.sim.runtimes.trio.run import Trap, park


class Owner(threads.Host, Protocol):
    """The process that calls."""

    @property
    def kernel(self) -> Kernel:
        """Tells the time, and wakes."""

    def reschedule(self, task: Task, value: Any = None) -> None:
        """Wake one of its tasks that is parked."""


async def run_sync(
    process: Owner,
    sync_fn: Callable[..., Any],
    *args: Any,
    thread_name: str | None = None,
    abandon_on_cancel: bool = False,
    cancellable: bool = False,
    limiter: trio.CapacityLimiter | None = None,
) -> Any:
    """`trio.to_thread.run_sync`."""
    await trio.lowlevel.checkpoint_if_cancelled()
    limiter = limiter or trio.to_thread.current_default_thread_limiter()
    if thread_name is None:
        thread_name = f"{getattr(sync_fn, '__name__', None)} from {trio.lowlevel.current_task().name}"
    thread = SimThread(process, sync_fn, args, name=thread_name)
    await limiter.acquire_on_behalf_of(thread)
    try:
        await _run(process, thread, abandons=abandon_on_cancel or cancellable)
    except trio.Cancelled:
        # The function goes on without anyone who waits for it, as a thread would.
        trio.lowlevel.spawn_system_task(_finish, process, thread, limiter, name="abandoned thread")
        raise
    limiter.release_on_behalf_of(thread)
    assert thread.outcome is not None
    return thread.outcome.unwrap()


def start(process: Owner, thread: SimThread, name: str, *, is_daemon: bool) -> None:
    """Let a thread that a program starts itself run from the next pass on. To be called in the event loop."""
    trio.lowlevel.spawn_system_task(partial(_run, process, thread, abandons=is_daemon), name=name)


async def _run(process: Owner, thread: SimThread, *, abandons: bool) -> None:
    if not thread.has_begun:
        thread.advance()
    while (request := thread.request) is not None:
        answer: Outcome[Any] | None = None
        if isinstance(request, Call):
            if request.is_async:
                answer = await acapture(request.function, *request.args)
            else:
                answer = capture(request.function, *request.args)
        else:
            alarm = _Alarm(process, request.until_ns, abandons)
            thread.ring = alarm.ring
            await alarm.wait()
            thread.ring = None
            if thread.request is not request:
                continue  # It went on while the event loop waited for a thread.
        thread.advance(answer)


class _Alarm:
    """Lets a task wait up to a true time."""

    def __init__(self, process: Owner, until_ns: int, is_cancellable: bool) -> None:
        self._process, self._until_ns = process, until_ns
        # A process that is to wait for good has been killed: only when it is unwound is there an end to that.
        self._is_cancellable = is_cancellable or until_ns >= NEVER_NS
        self._task: Task | None = None

    async def wait(self) -> None:
        self._task = trio.lowlevel.current_task()
        if self._until_ns < NEVER_NS:
            self._process.kernel.call_at(self._until_ns, self.ring)
        await park(Trap(self._abort))

    def ring(self) -> None:
        """End the wait, once."""
        task, self._task = self._task, None
        if task is not None:
            self._process.reschedule(task)

    def _abort(self, _: object) -> Abort:
        if not self._is_cancellable:
            return Abort.FAILED
        self._task = None
        return Abort.SUCCEEDED


async def _finish(process: Owner, thread: SimThread, limiter: trio.CapacityLimiter) -> None:
    try:
        await _run(process, thread, abandons=False)
    finally:
        limiter.release_on_behalf_of(thread)


def call_in_loop(process: Owner, fn: Callable[..., Any], *args: Any, trio_token: Any = None) -> Any:
    """`trio.from_thread.run_sync`."""
    return _thread_of(process).call(fn, *args)


def await_in_loop(process: Owner, afn: Callable[..., Any], *args: Any, trio_token: Any = None) -> Any:
    """`trio.from_thread.run`."""
    return _thread_of(process).call(afn, *args, is_async=True)


def check_cancelled(process: Owner) -> None:
    """`trio.from_thread.check_cancelled`."""
    _thread_of(process).call(trio.lowlevel.checkpoint_if_cancelled, is_async=True)


def _thread_of(process: Owner) -> SimThread:
    return process.thread or _complain()


def _complain() -> NoReturn:
    raise RuntimeError("this is not a thread of trio.to_thread.run_sync(), so it cannot call the event loop")
