"""Parts of Trio that cost more than they do, and shorter ones that stand in for them while a world runs.

Both are context managers that Trio makes anew from a generator each time: once or twice for every chunk of
bytes that a stream carries, and four times for every cancel scope.
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
        old = scope._registered_deadline
        new = inf if scope._cancel_status is None or scope._cancel_called else scope._deadline
        if old != new:
            scope._registered_deadline = new
            deadlines = _CONTEXT.runner.deadlines
            if old != inf:
                deadlines.remove(old, scope)
            if new != inf:
                deadlines.add(new, scope)


_translate: Any = _highlevel_socket._translate_socket_errors_to_stream_errors
_translation = _Translation()
SHORTCUTS: tuple[tuple[Any, str, Any], ...] = (
    (_highlevel_socket, "_translate_socket_errors_to_stream_errors", lambda: _translation),
    (trio.CancelScope, "_might_change_registered_deadline", lambda scope: _Registration(scope)),
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
