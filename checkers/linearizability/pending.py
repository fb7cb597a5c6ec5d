"""The operations on a register that are pending at some moment.

Which ones they are depends on the moment alone and not on what was tried so far; so a search that goes
back in time winds this back instead of keeping copies.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ostrakon.checkers.models.register_operations import DIFFERS, READ, SWAP, WRITE, RegisterColumns
from ostrakon.harness.history.columns import Ints, Mask

UNKNOWN_WRITE: Final = 4
UNKNOWN_SWAP: Final = 5


class Timeline:
    """Invocations and returns in order of time, and what a search wants to know of each operation.

    Each operation that returns has a bit: the smallest that is free while it is pending, so that sets of
    pending operations are small numbers. Equal operations that never return form a class, and count.
    """

    def __init__(self, registers: RegisterColumns) -> None:
        kind, expected, written = _told_apart(registers)
        events = _events(registers, kind, (kind == UNKNOWN_SWAP) & (expected == written))
        self.kind: list[int] = kind.tolist()
        self.expected: list[int] = expected.tolist()
        self.written: list[int] = written.tolist()
        self.returned: list[int] = registers.returned.tolist()
        self.events: list[int] = events.tolist()
        """Twice the operation, plus 1 if it returns."""
        self.bit = self._bits()
        ops = events >> 1
        unknown = ops[kind[ops] >= UNKNOWN_WRITE].tolist()
        numbers: dict[tuple[int, int, int], int] = {}
        self.class_of = {op: numbers.setdefault(self._told(op), len(numbers)) for op in unknown}
        self.classes = list(numbers)
        """Kind, expected and written value of each class of operations that never return."""
        self.last_need, self.last_source = _prospects(events, kind, expected, written)

    def _told(self, op: int) -> tuple[int, int, int]:
        return self.kind[op], self.expected[op], self.written[op]

    def _bits(self) -> list[int]:
        bits, free, width = [0] * len(self.kind), [], 0
        for event in self.events:
            op = event >> 1
            if event & 1:
                free.append(bits[op])
            elif self.kind[op] < UNKNOWN_WRITE:
                if not free:
                    free.append(1 << width)
                    width += 1
                bits[op] = free.pop()
        return bits


def _told_apart(registers: RegisterColumns) -> tuple[Ints, Ints, Ints]:
    kind, expected, written = registers.kind.copy(), registers.expected, registers.written
    # A swap of a value for itself only looks.
    kind[(kind > DIFFERS) & (kind != WRITE) & registers.known & (expected == written)] = READ
    kind[~registers.known & (kind > DIFFERS)] += UNKNOWN_WRITE - WRITE
    return kind, expected, written


def _events(registers: RegisterColumns, kind: Ints, idle: Mask) -> Ints:
    """All that matters, in order of time: what is unknown and can change nothing does not."""
    known = registers.known
    begin = np.flatnonzero(known | (kind >= UNKNOWN_WRITE) & ~idle)
    end = np.flatnonzero(known)
    moments = np.concatenate((registers.invoked[begin], registers.returned[end]))
    events: Ints = np.concatenate((begin << 1, end << 1 | 1))[np.argsort(moments)]
    return events


def _prospects(
    events: Ints, kind: Ints, expected: Ints, written: Ints
) -> tuple[dict[int, int], dict[int, int]]:
    """By value: the last event at which someone comes who needs it, and at which one who could write it."""
    at = np.flatnonzero(events & 1 == 0)
    op = events[at] >> 1
    needs = (kind[op] == READ) | (kind[op] == SWAP)
    writes = (kind[op] == WRITE) | (kind[op] == SWAP)
    ever = written[op[kind[op] >= UNKNOWN_WRITE]]
    need = dict(zip(expected[op[needs]].tolist(), at[needs].tolist(), strict=True))
    source = dict(zip(written[op[writes]].tolist(), at[writes].tolist(), strict=True))
    return need, source | dict.fromkeys(ever.tolist(), len(events))


class Pending:
    """The pending operations, by kind and value. Sets are bits, as in `Timeline`."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.reads: dict[int, int] = {}
        """The operations that must see a value, by value."""
        self.differing: dict[int, int] = {}
        """The operations that must see another value, by value."""
        self.all_differing = 0
        self.writes: dict[int, list[int]] = {}
        """The operations that would write a value, by value."""
        self.all_writes = 0
        self.swaps: dict[int, list[int]] = {}
        """The operations that would replace a value, by value."""
        self.all_swaps = 0
        self.unknown_writes: dict[int, int] = {}
        """The number of pending operations of each class."""
        self.unknown_swaps: dict[int, dict[int, int]] = {}
        """The number of pending operations, by the value that they would replace and by class."""

    def enter(self, op: int) -> None:
        """Apply an invocation, or undo a return."""
        line = self._timeline
        kind, bit = line.kind[op], line.bit[op]
        if kind == READ:
            value = line.expected[op]
            self.reads[value] = self.reads.get(value, 0) | bit
        elif kind == WRITE:
            self.writes.setdefault(line.written[op], []).append(op)
            self.all_writes |= bit
        elif kind == DIFFERS:
            value = line.expected[op]
            self.differing[value] = self.differing.get(value, 0) | bit
            self.all_differing |= bit
        elif kind == UNKNOWN_WRITE:
            _count(self.unknown_writes, line.class_of[op], +1)
        elif kind == UNKNOWN_SWAP:
            _count(self.unknown_swaps.setdefault(line.expected[op], {}), line.class_of[op], +1)
        else:
            self.swaps.setdefault(line.expected[op], []).append(op)
            self.all_swaps |= bit

    def leave(self, op: int) -> None:
        """Apply a return, or undo an invocation."""
        line = self._timeline
        kind, bit = line.kind[op], line.bit[op]
        if kind == READ:
            _clear(self.reads, line.expected[op], bit)
        elif kind == WRITE:
            _remove(self.writes, line.written[op], op)
            self.all_writes ^= bit
        elif kind == DIFFERS:
            _clear(self.differing, line.expected[op], bit)
            self.all_differing ^= bit
        elif kind == UNKNOWN_WRITE:
            _count(self.unknown_writes, line.class_of[op], -1)
        elif kind == UNKNOWN_SWAP:
            _count(self.unknown_swaps[line.expected[op]], line.class_of[op], -1)
        else:
            _remove(self.swaps, line.expected[op], op)
            self.all_swaps ^= bit

    def rewind(self, events: list[int], now: int, then: int) -> None:
        """Undo the events from `then` up to `now`."""
        for at in range(now - 1, then - 1, -1):
            event = events[at]
            if event & 1:
                self.enter(event >> 1)
            else:
                self.leave(event >> 1)


def _count(counts: dict[int, int], key: int, change: int) -> None:
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]


def _clear(masks: dict[int, int], key: int, bit: int) -> None:
    mask = masks[key] ^ bit
    if mask:
        masks[key] = mask
    else:
        del masks[key]


def _remove(lists: dict[int, list[int]], key: int, op: int) -> None:
    ops = lists[key]
    if len(ops) == 1:
        del lists[key]
    else:
        ops.remove(op)
