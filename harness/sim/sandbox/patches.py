"""Values of modules and classes with others in their places for a while: mostly functions, for ours.

Every world needs a hundred and fifty of them, so those of a module go in and out together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

Patch = tuple[Any, str, Any]
"""A module, a class, a function or a cell of a closure, one of its attributes, and what is to stand there."""
_MISSING = object()


class Patches:
    """Some of them, to be in place as often as need be."""

    def __init__(self, patches: Iterable[Patch]) -> None:
        modules: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._others: dict[tuple[int, str], Patch] = {}
        for owner, name, patch in patches:
            if isinstance(owner, ModuleType):
                modules.setdefault(id(owner), (owner.__dict__, {}))[1][name] = patch
            else:
                self._others[id(owner), name] = owner, name, patch
        self._modules = tuple(modules.values())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the body with all of them in place; then what was there before is back."""
        undo: list[Callable[[], object]] = []
        try:
            for there, ours in self._modules:
                before = {name: there[name] for name in ours if name in there}
                undo.append(partial(_put_back, there, ours, before))
                there.update(ours)
            for owner, name, patch in self._others.values():
                own = owner.__dict__.get(name, _MISSING) if isinstance(owner, type) else getattr(owner, name)
                setattr(owner, name, patch)
                undo.append(partial(_set, owner, name, own))
            yield
        finally:
            for step in reversed(undo):
                step()


def _put_back(there: dict[str, Any], ours: dict[str, Any], before: dict[str, Any]) -> None:
    there.update(before)
    for name in ours.keys() - before.keys():
        there.pop(name, None)


def _set(owner: Any, name: str, value: Any) -> None:
    if value is _MISSING:
        delattr(owner, name)
    else:
        setattr(owner, name, value)
