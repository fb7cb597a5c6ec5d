"""Decide from a recorded history whether what happened is allowed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostrakon.checkers.linearizability import linearizable

__all__ = ["linearizable"]

_HOMES: Final = {"linearizable": "ostrakon.checkers.linearizability"}
"""Where what is offered here is written. It is loaded when it is first used, since it takes its time."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
