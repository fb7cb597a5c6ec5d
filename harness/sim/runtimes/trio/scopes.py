"""Cancel scopes, sleeps and nurseries of Trio: the same, in fewer steps where nothing special is the matter.

A program enters and leaves a cancel scope for every nursery, time-out, sleep and attempt to connect, and Trio
calls a dozen functions each time. Ours leave it to Trio's own where a scope is cancelled, misnested or left
by an exception. A sleep needs no scope at all, only a place in the heap of deadlines.
"""

from __future__ import annotations

from math import inf
from typing import Any

import trio
import trio._core._run as _run
from outcome import Error, Outcome
from trio.lowlevel import Abort, Task

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_RUN: Any = _run
_trios_enter: Any = trio.CancelScope.__enter__
_trios_close: Any = trio.CancelScope._close
_trios_sleep_until: Any = trio.sleep_until
_trios_child_finished: Any = trio.Nursery._child_finished


def enter(scope: Any) -> Any:
    """`CancelScope.__enter__`."""
    context = _CONTEXT.__dict__
    task = context.get("task")
    if task is None or scope._has_been_entered or scope._cancel_called:
        return _trios_enter(scope)
    if scope._relative_deadline != inf or scope._deadline != inf:
        now = context["runner"].clock.current_time()
        deadline = min(scope._deadline, now + scope._relative_deadline)  # One of them is infinite.
        if deadline <= now:
            return _trios_enter(scope)
        scope._deadline, scope._relative_deadline = deadline, inf
        _file(scope, deadline)
    scope._has_been_entered = True
    parent = task._cancel_status
    scope._cancel_status = task._cancel_status = status = _RUN.CancelStatus(scope, parent=parent)
    status._tasks.add(task)
    if parent is not None:
        parent._tasks.remove(task)
    if status.effectively_cancelled:
        task._attempt_delivery_of_any_pending_cancel()
    return scope


def begin(status: Any) -> None:
    """`CancelStatus.__attrs_post_init__`."""
    parent = status._parent
    if parent is not None:
        parent._children.add(status)
        if parent.effectively_cancelled or status._scope._cancel_called:
            status.recalculate()


def close(scope: Any, error: BaseException | None) -> BaseException | None:
    """`CancelScope._close`."""
    task, status = _CONTEXT.task, scope._cancel_status
    if (
        error is not None
        or status is None
        or status is not task._cancel_status
        or status._children
        or len(status._tasks) != 1
    ):
        rest: BaseException | None = _trios_close(scope, error)
        return rest
    if scope._registered_deadline != inf:
        _file(scope, inf)
    scope._cancel_status = None
    task._cancel_status = parent = status._parent
    status._tasks.clear()
    if parent is not None:
        status._parent = None
        parent._children.remove(status)
        parent._tasks.add(task)
        if parent.effectively_cancelled:
            task._attempt_delivery_of_any_pending_cancel()
    return None


class Registration:
    """`CancelScope._might_change_registered_deadline`: files it under its deadline afterwards."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        scope = self._scope
        _file(scope, inf if scope._cancel_status is None or scope._cancel_called else scope._deadline)


def child_finished(nursery: Any, task: Task, outcome: Outcome[object]) -> None:
    """`Nursery._child_finished`; a nursery that is cancelled need not be told by whom once more."""
    if nursery._closed or (type(outcome) is Error and not nursery.cancel_scope._cancel_called):
        _trios_child_finished(nursery, task, outcome)
        return
    nursery._children.remove(task)
    if type(outcome) is Error:
        nursery._pending_excs.append(outcome.error)
    if not nursery._children:
        nursery._check_nursery_closed()


async def sleep_until(deadline: float) -> None:
    """`trio.sleep_until`."""
    task, runner = _CONTEXT.task, _CONTEXT.runner
    if not runner.clock.current_time() < deadline < inf:
        await _trios_sleep_until(deadline)
        return
    timer = _Timer(task, runner, deadline)
    await trio.lowlevel.wait_task_rescheduled(timer.abort)
    if task._cancel_status.effectively_cancelled:
        # By a time-out of the same moment, which in Trio has the last word.
        task._abort_func = _raise_at_once
        try:
            task._attempt_delivery_of_any_pending_cancel()
        finally:
            task._abort_func = None


class _Timer:
    """What stands in Trio's heap of deadlines for one who sleeps, in place of a cancel scope."""

    __slots__ = ("_registered_deadline", "_runner", "_task")

    def __init__(self, task: Any, runner: Any, deadline: float) -> None:
        self._task, self._runner, self._registered_deadline = task, runner, deadline
        runner.deadlines.add(deadline, self)

    def cancel(self, reason: object = None) -> None:
        """The time has come."""
        self._forget()
        self._runner.reschedule(self._task)

    _cancel = cancel

    def abort(self, _: object) -> Abort:
        """The sleeper is cancelled."""
        self._forget()
        return Abort.SUCCEEDED

    def _forget(self) -> None:
        self._runner.deadlines.remove(self._registered_deadline, self)
        self._registered_deadline = inf


def _raise_at_once(raise_cancel: Any) -> Abort:
    raise_cancel()
    raise AssertionError("unreachable: `raise_cancel` raises")


def _file(scope: Any, new: float) -> None:
    old = scope._registered_deadline
    if old != new:
        scope._registered_deadline = new
        deadlines = _CONTEXT.runner.deadlines
        if old != inf:
            deadlines.remove(old, scope)
        if new != inf:
            deadlines.add(new, scope)
