"""Values of modules and classes with others in their places for a while: mostly functions, for ours.

A world does this twice, with a hundred and fifty of them, so those of a module go in and out together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

StandIn = tuple[Any, str, Any]
"""A module or class, one of its names, and what is to stand there."""
_MISSING = object()


class StandIns:
    """Some of them, to be in place as often as need be."""

    def __init__(self, stand_ins: Iterable[StandIn]) -> None:
        owners: dict[int, tuple[Any, dict[str, Any]]] = {}
        for owner, name, stand_in in stand_ins:
            owners.setdefault(id(owner), (owner, {}))[1][name] = stand_in
        self._by_owner = tuple(owners.values())

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Run the body with all of them in place; then what was there before is back."""
        usual: list[tuple[Any, dict[str, Any]]] = []
        try:
            for owner, ours in self._by_owner:
                there = vars(owner)
                usual.append((owner, {name: there.get(name, _MISSING) for name in ours}))
                _put(owner, ours)
            yield
        finally:
            for owner, before in reversed(usual):
                _put(owner, before)


def _put(owner: Any, values: dict[str, Any]) -> None:
    there = vars(owner)
    is_writable = isinstance(there, dict)  # Of a class there is only a view.
    for name, value in values.items():
        if value is _MISSING:
            delattr(owner, name)
        elif is_writable:
            there[name] = value  # Not `update`, which makes the dictionary anew if many come together.
        else:
            setattr(owner, name, value)
