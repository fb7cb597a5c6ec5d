"""Cancel scopes, sleeps and nurseries of Trio: the same, in fewer steps where nothing special is the matter.

A program enters and leaves a cancel scope for every nursery, time-out, sleep and attempt to connect, and Trio
calls a dozen functions each time. Ours leave it to Trio's own where a scope is cancelled, misnested or left
by an exception. A sleep needs no scope at all, only a place in the heap of deadlines.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import Any

import trio
import trio._core._run as _run
from outcome import Error, Outcome
from trio.lowlevel import Abort, Task

from ostrakon.harness.sim.runtimes.trio.waiting import Trap, cancel_shielded_checkpoint, cancellation, park

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_RUN: Any = _run
_trios_enter: Any = trio.CancelScope.__enter__
_trios_close: Callable[[Any, BaseException | None], BaseException | None] = trio.CancelScope._close
_trios_sleep_until: Any = trio.sleep_until
_trios_child_finished: Any = trio.Nursery._child_finished
_trios_exit_nursery: Any = _RUN.NurseryManager.__aexit__


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
    if status is None or status is not task._cancel_status or status._children or len(status._tasks) != 1:
        return _trios_close(scope, error)
    parent = status._parent
    if error is not None and status.effectively_cancelled and not _reaches(parent, scope):
        if type(error) is not trio.Cancelled:
            return _trios_close(scope, error)
        scope.cancelled_caught = True
        error = None
    if scope._registered_deadline != inf:
        _file(scope, inf)
    scope._cancel_status = None
    task._cancel_status = parent
    status._tasks.clear()
    if parent is not None:
        status._parent = None
        parent._children.remove(status)
        parent._tasks.add(task)
    return error


def _reaches(parent: Any, scope: Any) -> bool:
    """Whether the scope around this one is cancelled, and with it this one."""
    return parent is not None and parent.effectively_cancelled and not scope._shield


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
    """`Nursery._child_finished`."""
    if nursery._closed or (type(outcome) is Error and not _is_noted(nursery, outcome.error)):
        _trios_child_finished(nursery, task, outcome)
        return
    nursery._children.remove(task)
    if type(outcome) is Error:
        nursery._pending_excs.append(outcome.error)
    if not (nursery._children or nursery._nested_child_running or nursery._pending_starts):
        _close_nursery(nursery)


def _is_noted(nursery: Any, error: BaseException) -> bool:
    """Whether a nursery that this error came to is cancelled already, so that nobody need be told why."""
    scope = nursery.cancel_scope
    if scope._cancel_called:
        return True
    status = scope._cancel_status
    if (
        type(error) is not trio.Cancelled
        or status is None
        or not status.effectively_cancelled
        or scope._registered_deadline != inf
    ):
        return False
    scope._cancel_called = True  # By what it is within; there is nothing to recalculate.
    return True


def _close_nursery(nursery: Any) -> None:
    nursery._closed = True
    if nursery._parent_waiting_in_aexit:
        nursery._parent_waiting_in_aexit = False
        parent = nursery._parent_task
        parent._runner.reschedule(parent)


async def exit_nursery(
    manager: Any, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
) -> bool:
    """`NurseryManager.__aexit__`."""
    nursery, scope = manager._nursery, manager._scope
    if nursery._strict_exception_groups is not True or not (error is None or _is_noted(nursery, error)):
        left: bool = await _trios_exit_nursery(manager, kind, error, tb)
        return left
    if error is not None:
        nursery._pending_excs.append(error)
    nursery._nested_child_running = False
    if nursery._children or nursery._pending_starts:
        nursery._parent_waiting_in_aexit = True
        await park(_FOR_CHILDREN)
    else:
        nursery._closed = True
        await cancel_shielded_checkpoint()
    popped = nursery._parent_task._child_nurseries.pop()
    assert popped is nursery, "Nursery misnesting detected!"
    if not nursery._pending_excs:
        return scope._close(None) is None
    group = BaseExceptionGroup("Exceptions from Trio nursery", nursery._pending_excs)
    del nursery._pending_excs
    rest = scope._close(group)
    if rest is None:
        return True
    context = rest.__context__
    try:
        raise rest
    finally:
        rest.__context__ = context  # Python has just set it to what is being handled around the nursery.
        del rest, context, group, error, nursery, popped  # The traceback of `rest` holds this frame.


_FOR_CHILDREN = Trap(lambda _: Abort.FAILED)
"""Waiting for the tasks of a nursery: who waits is not cancelled before they are over."""


async def sleep_until(deadline: float) -> None:
    """`trio.sleep_until`."""
    task, runner = _CONTEXT.task, _CONTEXT.runner
    if not runner.clock.current_time() < deadline < inf:
        await _trios_sleep_until(deadline)
        return
    timer = _Timer(task, runner, deadline)
    await park(Trap(timer.abort))
    if task._cancel_status.effectively_cancelled:
        # By a time-out of the same moment, which in Trio has the last word.
        raise cancellation(task._cancel_status)


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


def _file(scope: Any, new: float) -> None:
    old = scope._registered_deadline
    if old != new:
        scope._registered_deadline = new
        deadlines = _CONTEXT.runner.deadlines
        if old != inf:
            deadlines.remove(old, scope)
        if new != inf:
            deadlines.add(new, scope)
