"""A map with ordered keys that can be frozen: it goes on changing while its frozen contents are read.

A snapshot of a million keys takes seconds to encode. Copying the map first would stop the replica, so the map
keeps changes apart from its frozen contents while a snapshot is being encoded. Afterwards it merges them, a
few at each further change, because thousands at once would stop the replica, too.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from sortedcontainers import SortedDict

_MERGED_AT_ONCE = 16
"""How many changes are merged at each change of the map."""
_GONE = object()
"""Stands for a key that was deleted since the map was frozen."""


class KeyMap:
    """Values by key; iteration is in the order of the keys, so that equal maps iterate alike."""

    def __init__(self, items: Iterator[tuple[str, Any]] | dict[str, Any] | None = None) -> None:
        self._base: SortedDict[str, Any] | dict[str, Any] = SortedDict(items or {})
        """A plain dictionary while the order does not matter: see `sort_later`."""
        self._changes: SortedDict[str, Any] | None = None
        self._is_frozen = False
        """Whether the frozen contents are still being read; if not, changes are merged."""
        self._size = len(self._base)

    def sort_later(self) -> None:
        """Keep no order until the keys are read in order. Until then new keys cost a third of the time, and
        then all are sorted at once, which takes long."""
        self._merge(None)
        self._base = dict(self._base)

    def _ordered(self) -> SortedDict[str, Any]:
        if not isinstance(self._base, SortedDict):
            self._base = SortedDict(self._base)
        return self._base

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.items())

    def __contains__(self, key: str) -> bool:
        return self.get(key, _GONE) is not _GONE

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, _GONE)
        if value is _GONE:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if self._changes is None:
            base = self._base
            if key not in base:
                self._size += 1
            base[key] = value
        else:
            self._size += key not in self
            self._change(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default`."""
        if self._changes is None:
            return self._base.get(key, default)
        value = self._changes.get(key, self)
        if value is self:
            return self._base.get(key, default)
        return default if value is _GONE else value

    def pop(self, key: str, default: Any = None) -> Any:
        """Remove a key and return its value, or `default`."""
        if self._changes is None:
            value = self._base.pop(key, _GONE)
        else:
            value = self.get(key, _GONE)
            if value is not _GONE:
                self._change(key, _GONE)
        if value is _GONE:
            return default
        self._size -= 1
        return value

    def keys(self) -> Iterator[str]:
        """All keys in order; makes `dict(map)` work."""
        return iter(self)

    def items(self, start: str = "", end: str | None = None) -> Iterator[tuple[str, Any]]:
        """The keys from `start` up to, but not including, `end`, in order, with their values."""
        changes, base = self._changes, self._ordered()
        if changes is None:
            for key in base.irange(start, end, (True, False)):
                yield key, base[key]
            return
        old = ((key, base[key]) for key in base.irange(start, end, (True, False)) if key not in changes)
        new = ((key, changes[key]) for key in changes.irange(start, end, (True, False)))
        for key, value in heapq.merge(old, new, key=lambda item: item[0]):
            if value is not _GONE:
                yield key, value

    def freeze(self) -> Iterator[tuple[str, Any]]:
        """The items as they are now; the map may change while they are read.

        Once they are read to the end, the changes are merged, a few at a time. If the map is frozen again,
        they are merged at once, and an iterator that was not read to its end must not be read further.
        """
        self._merge(None)
        assert self._changes is None, "all are merged"
        self._is_frozen = True
        self._changes = changes = SortedDict()
        return self._frozen(changes)

    def _frozen(self, changes: SortedDict[str, Any]) -> Iterator[tuple[str, Any]]:
        for item in self._ordered().items():
            assert self._changes is changes, "the map was frozen again"
            yield item
        if self._changes is changes:
            self._is_frozen = False
            self._merge(0)

    def _change(self, key: str, value: Any) -> None:
        """Change a key while there are changes that were not merged."""
        changes = self._changes
        assert changes is not None, "otherwise the map itself is changed"
        changes[key] = value
        if not self._is_frozen:
            self._merge(_MERGED_AT_ONCE)

    def _merge(self, count: int | None) -> None:
        """Merge the last changes, at most `count`; all if None."""
        changes, base = self._changes, self._base
        if changes is None:
            return
        for _ in range(len(changes) if count is None else min(count, len(changes))):
            key, value = changes.popitem()
            if value is _GONE:
                base.pop(key, None)
            else:
                base[key] = value
        if not changes:
            self._changes = None
