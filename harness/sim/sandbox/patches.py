"""Values of modules and classes with others in their places for a while: mostly functions, for ours.

Every world needs a hundred and fifty of them, so those of a module go in and out together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Patch = tuple[Any, str, Any]
"""A module or class, one of its names, and what is to stand there."""


class Patches:
    """Some of them, to be in place as often as need be."""

    def __init__(self, patches: Iterable[Patch]) -> None:
        owners: dict[int, tuple[Any, dict[str, Any]]] = {}
        for owner, name, patch in patches:
            owners.setdefault(id(owner), (owner, {}))[1][name] = patch
        self._by_owner = tuple(owners.values())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the body with all of them in place; then what was there before is back."""
        usual: list[dict[str, Any]] = []
        try:
            for owner, ours in self._by_owner:
                there = owner.__dict__
                usual.append({name: there[name] for name in ours if name in there})
                _put(owner, ours)
            yield
        finally:
            for (owner, ours), before in zip(self._by_owner, usual, strict=False):
                _put(owner, before)
                if len(before) < len(ours):
                    for name in ours.keys() - before.keys():
                        delattr(owner, name)


def _put(owner: Any, values: dict[str, Any]) -> None:
    if isinstance(owner, type):
        for name, value in values.items():
            setattr(owner, name, value)
    else:
        owner.__dict__.update(values)
