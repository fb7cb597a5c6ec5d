"""The recent changes of a replica's state, slot by slot, for clients that watch keys.

What must always hold: a watcher is told each change after its slot once, in the order of the log, or is told
that older changes are not kept any more. A slow watcher costs no memory: all watchers read the same changes,
and one that falls behind what is kept has to read the keys again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import trio

from ostrakon.paxos_impl.wire.replica import KeyChange

SLOTS_MAX = 10_000
"""How many slots are kept that changed a key."""
BYTES_MAX = 16 << 20
"""How many bytes of changes are kept, about."""
VALUE_BYTES_MAX, SLOT_BYTES_MAX = 64 << 10, 1 << 20
"""A value that is longer than the first, or for which there is no room in its slot, is left out of its
change."""
ANSWER_BYTES_MAX = 1 << 20
"""About how long one answer to a watcher is, unless it is about one slot only."""
_CHANGE_BYTES = 100
"""What a change costs besides its value."""


class _Slot(NamedTuple):
    slot: int
    changes: tuple[KeyChange, ...]
    size: int


class ChangeLog:
    """The changes of the slots above `oldest`, up to `upto`."""

    def __init__(self, slot: int = 0, *, slots_max: int = SLOTS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._slots_max, self._bytes_max = slots_max, bytes_max
        self._kept: deque[_Slot] = deque()
        self._size = 0
        self._grown = trio.Event()
        self.oldest = slot
        """The changes of this slot and all below are not kept."""
        self.upto = slot
        """The last slot that was executed."""

    def reset(self, slot: int) -> None:
        """The state was replaced by that after this slot: what changed on the way there is not known."""
        self._kept.clear()
        self._size, self.oldest, self.upto = 0, slot, slot
        self._wake()

    def add(self, slot: int, changed: Sequence[tuple[str, Any]]) -> None:
        """A slot was executed, and gave these keys these values, in this order; None is no value."""
        assert slot > self.upto, f"slot {slot} after slot {self.upto}"
        self.upto = slot
        if changed:
            entry = _slot(slot, changed)
            self._kept.append(entry)
            self._size += entry.size
            while len(self._kept) > self._slots_max or (self._size > self._bytes_max and len(self._kept) > 1):
                dropped = self._kept.popleft()
                self._size -= dropped.size
                self.oldest = dropped.slot
        self._wake()

    def after(self, slot: int, start: str, end: str | None) -> tuple[int, list[KeyChange]]:
        """The changes after a slot of the keys from `start` up to, but not including, `end`; and the slot up
        to which these are all.

        There may be more after that slot: an answer has a bounded length.
        """
        assert slot >= self.oldest, f"changes after slot {slot} are not kept, only after {self.oldest}"
        newer: list[_Slot] = []
        for entry in reversed(self._kept):  # Most watchers are near the end.
            if entry.slot <= slot:
                break
            newer.append(entry)
        found: list[KeyChange] = []
        size = 0
        for entry in reversed(newer):
            mine = [each for each in entry.changes if start <= each.key and (end is None or each.key < end)]
            found += mine
            size += entry.size if mine else 0
            if size >= ANSWER_BYTES_MAX:
                return entry.slot, found
        return max(slot, self.upto), found

    async def wait_beyond(self, slot: int) -> None:
        """Return when a slot after this one was executed, or when its changes are not kept any more."""
        while self.oldest <= slot and self.upto <= slot:
            await self._grown.wait()

    def _wake(self) -> None:
        grown, self._grown = self._grown, trio.Event()
        grown.set()


def _slot(slot: int, changed: Sequence[tuple[str, Any]]) -> _Slot:
    changes: list[KeyChange] = []
    size = 0
    for key, value in changed:
        length = _rough_size(value)
        is_left_out = length > VALUE_BYTES_MAX or size + length > SLOT_BYTES_MAX
        size += _CHANGE_BYTES + len(key) + (0 if is_left_out else length)
        changes.append(KeyChange(slot, key, None if is_left_out else value, is_left_out))
    return _Slot(slot, tuple(changes), size)


def _rough_size(value: Any) -> int:
    """About how many bytes a value takes, found without encoding it."""
    match value:
        case str():
            return len(value)
        case list():
            return 9 + sum(map(_rough_size, value)) if len(value) <= VALUE_BYTES_MAX else 9 * len(value)
        case dict():
            return 9 + sum(len(key) + _rough_size(each) for key, each in value.items())
    return 9
