"""Values of modules and classes with others in their places for a while: mostly functions, for ours.

Every world needs a hundred and fifty of them, so those of a module go in and out together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from types import ModuleType
from typing import Any

Patch = tuple[Any, str, Any]
"""A module, a class, a function or a cell of a closure, one of its attributes, and what is to stand there."""
_MISSING = object()


class Patches:
    """Some of them, to be in place as often as need be.

    Every world puts them in place, so it has to be quick: those of a module go in and out together.
    """

    def __init__(self, patches: Iterable[Patch]) -> None:
        modules: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._others: dict[tuple[int, str], Patch] = {}
        for owner, name, patch in patches:
            if isinstance(owner, ModuleType):
                modules.setdefault(id(owner), (owner.__dict__, {}))[1][name] = patch
            else:
                self._others[id(owner), name] = owner, name, patch
        self._modules = tuple((there, ours, _getter(ours)) for there, ours in modules.values())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the body with all patches in place; afterwards the former values are back."""
        modules: list[tuple[dict[str, Any], dict[str, Any], tuple[Any, ...]]] = []
        others: list[Patch] = []
        try:
            for there, ours, get in self._modules:
                try:
                    before = get(there)
                except KeyError:
                    before = tuple(there.get(name, _MISSING) for name in ours)
                modules.append((there, ours, before))
                there.update(ours)
            for owner, name, patch in self._others.values():
                is_class = isinstance(owner, type)
                usual = owner.__dict__.get(name, _MISSING) if is_class else getattr(owner, name)
                setattr(owner, name, patch)
                others.append((owner, name, usual))
            yield
        finally:
            for owner, name, usual in reversed(others):
                if usual is _MISSING:
                    delattr(owner, name)
                else:
                    setattr(owner, name, usual)
            for there, ours, before in reversed(modules):
                there.update(zip(ours, before, strict=True))
                for name in ours if any(usual is _MISSING for usual in before) else ():
                    if there[name] is _MISSING:
                        del there[name]


def _getter(names: Iterable[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Takes the values of these names out of a dictionary, in C. Raises: KeyError."""
    first, *rest = names
    if not rest:
        return lambda there: (there[first],)
    return itemgetter(first, *rest)
