"""How tasks of Trio wait, let others go first and hear of a cancellation: the same, in fewer steps.

Trio lets its scheduler ignore a checkpoint when nobody else could run, and ours does: most checkpoints of a
simulated process come while no other task of it is ready, and a pass of the loop for each would be much of
what a trial costs. A checkpoint that is left out still counts as a pass, so that a process can be made to
crash there. A task that is cancelled is told so at once, without a pass in between.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, NoReturn

import trio
import trio._core._run as _run
import trio._core._traps as _traps
from outcome import Error
from trio.lowlevel import Abort, Task

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_RUN: Any = _run
_trios_checkpoint: Any = _RUN.checkpoint
_trios_checkpoint_if_cancelled: Any = _RUN.checkpoint_if_cancelled
_trios_shielded_checkpoint: Any = _traps.cancel_shielded_checkpoint
_SHIELDED: Any = _traps.CancelShieldedCheckpoint

Trap = _traps.WaitTaskRescheduled
"""What a task yields to wait; made from its abort function, and good for any number of waits."""


class Raise:
    """What a task is woken with to raise an exception: `outcome.Error`, made without checking its fields."""

    __slots__ = ("_error",)

    def __init__(self, error: BaseException) -> None:
        self._error: BaseException | None = error

    def unwrap(self) -> NoReturn:
        """Raise it. To be called once."""
        error, self._error = self._error, None
        assert error is not None
        try:
            raise error
        finally:
            del error, self  # The exception's traceback holds this frame.


@types.coroutine
def park(trap: Trap) -> Generator[Any, Any, Any]:
    """Wait until the running task is rescheduled, and return with what; or raise, if it is cancelled.

    `trio.lowlevel.wait_task_rescheduled` for those who hand the bare value to `TrioRun.reschedule`.
    """
    sent = yield trap
    if type(sent) is Raise or type(sent) is Error:
        try:
            sent.unwrap()
        finally:
            del sent  # It holds the exception, whose traceback holds this frame.
    return sent


@types.coroutine
def wait_task_rescheduled(abort: Callable[[Any], Abort]) -> Generator[Any, Any, Any]:
    """`trio.lowlevel.wait_task_rescheduled`."""
    sent = yield Trap(abort)
    if type(sent) is Raise or type(sent) is Error:
        try:
            sent.unwrap()
        finally:
            del sent
    return sent.unwrap()


@types.coroutine
def let_others_run() -> Generator[Any, Any, None]:
    """Go on in the next pass."""
    yield _SHIELDED


def others_may_run(host: Any, runner: Any) -> bool:
    """Whether the running task has to wait for the next pass at a checkpoint; if not, count that pass."""
    if runner.runq or host.batch or not host.can_run:
        return True
    made = host.passes + 1
    if made == host.crash_pass or made >= host.livelock_pass:
        return True
    host.passes = made
    return False


def _host_of(task: Any) -> Any:
    """The process of a task; None for a run that is none of a world's, perhaps in another thread."""
    return None if task is None else getattr(task._runner, "host", None)


async def checkpoint() -> None:
    """`trio.lowlevel.checkpoint`."""
    task = _CONTEXT.__dict__.get("task")
    host = _host_of(task)
    if host is None:
        await _trios_checkpoint()
        return
    if task._cancel_status.effectively_cancelled:
        raise cancellation(task._cancel_status)
    if others_may_run(host, task._runner):
        await let_others_run()
        if task._cancel_status.effectively_cancelled:
            raise cancellation(task._cancel_status)
    else:
        task._schedule_points += 1
    task._cancel_points += 1


async def checkpoint_if_cancelled() -> None:
    """`trio.lowlevel.checkpoint_if_cancelled`."""
    task = _CONTEXT.__dict__.get("task")
    if _host_of(task) is None:
        await _trios_checkpoint_if_cancelled()
        return
    if task._cancel_status.effectively_cancelled:
        raise cancellation(task._cancel_status)
    task._cancel_points += 1


async def cancel_shielded_checkpoint() -> None:
    """`trio.lowlevel.cancel_shielded_checkpoint`."""
    task = _CONTEXT.__dict__.get("task")
    host = _host_of(task)
    if host is None:
        await _trios_shielded_checkpoint()
    elif others_may_run(host, task._runner):
        await let_others_run()
    else:
        task._schedule_points += 1


def is_cancelled() -> bool:
    """Whether the next checkpoint of the running task would raise `Cancelled`."""
    cancelled: bool = _CONTEXT.task._cancel_status.effectively_cancelled
    return cancelled


def cancellation(status: Any) -> trio.Cancelled:
    """What is raised in a task that is cancelled, with the reason if this version of Trio keeps one."""
    if not _KEEPS_REASONS:
        return _cancelled()
    reason = status._scope._cancel_reason
    if reason is None:
        return _cancelled(source="unknown", reason="misnesting")
    return _cancelled(source=reason.source, reason=reason.reason, source_task=reason.source_task)


_KEEPS_REASONS = hasattr(_RUN, "CancelReason")
_cancelled: Callable[..., trio.Cancelled] = trio.Cancelled._create


def deliver_cancellation(task: Any) -> None:
    """`Task._attempt_delivery_of_any_pending_cancel`: wake a task that waits and is cancelled by now."""
    abort = task._abort_func
    if abort is None:
        return
    status = task._cancel_status
    if not status.effectively_cancelled:
        return

    def raise_cancel() -> NoReturn:
        raise cancellation(status)

    answer = abort(raise_cancel)
    task._abort_func = None
    if answer is Abort.SUCCEEDED:
        task._runner.reschedule(task, Raise(cancellation(status)))
    elif answer is not Abort.FAILED:
        raise trio.TrioInternalError("abort function must return Abort enum")


async def wait_for_event(event: Any) -> None:
    """`trio.Event.wait`."""
    if event._flag:
        await trio.lowlevel.checkpoint()
        return
    task, waiting = _CONTEXT.task, event._tasks
    waiting.add(task)
    await park(Trap(partial(_wait_no_longer, waiting, task)))


def _wait_no_longer(waiting: set[Task], task: Task, _: object) -> Abort:
    waiting.remove(task)
    return Abort.SUCCEEDED
