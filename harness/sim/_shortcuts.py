"""Parts of Trio that cost more than they do, and shorter ones that stand in for them while a world runs.

A program enters and leaves a cancel scope for every nursery, time-out and attempt to connect, and for every
chunk of bytes that a stream carries, errors are translated; Trio makes several objects for each, and calls a
dozen functions. Ours do the same in one go where nothing special is the matter, and leave it to Trio's own
where there is: a scope that is cancelled, or misnested, or left by an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import trio
import trio._core._run as _run
import trio._highlevel_socket as _highlevel_socket

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_RUN: Any = _run


class _Translation:
    """Turns the errors of sockets into those of streams; asks Trio's only if there is one."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        if isinstance(error, OSError):
            with _translate():
                raise error


class _Registration:
    """Files a cancel scope under its deadline, after something was done to it that may change that."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        scope = self._scope
        _file(scope, inf if scope._cancel_status is None or scope._cancel_called else scope._deadline)


def _file(scope: Any, new: float) -> None:
    old = scope._registered_deadline
    if old != new:
        scope._registered_deadline = new
        deadlines = _CONTEXT.runner.deadlines
        if old != inf:
            deadlines.remove(old, scope)
        if new != inf:
            deadlines.add(new, scope)


def _enter(scope: Any) -> Any:
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


def _begin(status: Any) -> None:
    """`CancelStatus.__attrs_post_init__`."""
    parent = status._parent
    if parent is not None:
        parent._children.add(status)
        if parent.effectively_cancelled or status._scope._cancel_called:
            status.recalculate()


def _close(scope: Any, error: BaseException | None) -> BaseException | None:
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


_translate: Any = _highlevel_socket._translate_socket_errors_to_stream_errors
_trios_enter: Any = trio.CancelScope.__enter__
_trios_close: Any = trio.CancelScope._close
_translation = _Translation()
SHORTCUTS: tuple[tuple[Any, str, Any], ...] = (
    (_highlevel_socket, "_translate_socket_errors_to_stream_errors", lambda: _translation),
    (trio.CancelScope, "_might_change_registered_deadline", lambda scope: _Registration(scope)),
    (trio.CancelScope, "__enter__", _enter),
    (trio.CancelScope, "_close", _close),
    (_RUN.CancelStatus, "__attrs_post_init__", _begin),
)


@contextmanager
def shortcuts() -> Iterator[None]:
    """Run the body with the shorter ones in place."""
    usual = [(owner, name, vars(owner)[name]) for owner, name, _ in SHORTCUTS]
    for owner, name, shortcut in SHORTCUTS:
        setattr(owner, name, shortcut)
    try:
        yield
    finally:
        for owner, name, original in usual:
            setattr(owner, name, original)
