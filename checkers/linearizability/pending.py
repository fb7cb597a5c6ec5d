"""The operations on a register that are pending at some moment.

Which ones they are depends on the moment alone and not on what was tried so far; so a search that goes
back in time winds this back instead of keeping copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from checkers.linearizability.registers import DIFFERS, READ, WRITE, Registers

UNKNOWN_WRITE: Final = 4
UNKNOWN_SWAP: Final = 5


class Timeline:
    """Invocations and returns in order of time, and what a search wants to know of each operation.

    Each operation that returns has a bit: the smallest that is free while it is pending, so that sets of
    pending operations are small numbers. Equal operations that never return form a class, and count.
    """

    def __init__(self, registers: Registers) -> None:
        self.kind, self.expected, self.written = _told_apart(registers)
        self.returned = registers.returned.tolist()
        known = registers.known.tolist()
        invoked = registers.invoked.tolist()
        moments = [(at, op, False) for op, at in enumerate(invoked) if self._matters(op, known[op])]
        moments += [(self.returned[op], op, True) for op, is_known in enumerate(known) if is_known]
        moments.sort()
        self.events = [op << 1 | is_return for _, op, is_return in moments]
        """Twice the operation, plus 1 if it returns."""
        self.bit = self._bits()
        self.classes: list[tuple[int, int, int]] = []
        """Kind, expected and written value of each class of operations that never return."""
        self.class_of = self._classes()

    def _matters(self, op: int, known: bool) -> bool:
        kind = self.kind[op]
        return known or (kind >= UNKNOWN_WRITE and not (kind == UNKNOWN_SWAP and self._is_idle(op)))

    def _is_idle(self, op: int) -> bool:
        return self.expected[op] == self.written[op]

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

    def _classes(self) -> dict[int, int]:
        numbers: dict[tuple[int, int, int], int] = {}
        of = {}
        for event in self.events:
            op = event >> 1
            if self.kind[op] >= UNKNOWN_WRITE:
                alike = (self.kind[op], self.expected[op], self.written[op])
                of[op] = numbers.setdefault(alike, len(numbers))
        self.classes = list(numbers)
        return of


def _told_apart(registers: Registers) -> tuple[list[int], list[int], list[int]]:
    kind, expected, written = registers.kind.copy(), registers.expected, registers.written
    # A swap of a value for itself only looks.
    kind[(kind > DIFFERS) & (kind != WRITE) & registers.known & (expected == written)] = READ
    kind[~registers.known & (kind > DIFFERS)] += UNKNOWN_WRITE - WRITE
    return kind.tolist(), expected.tolist(), written.tolist()


class Pending:
    """What is pending, by kind and value. Sets are bits, as in `Timeline`."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.reads: dict[int, int] = {}
        """By value: who has to see it."""
        self.differing: dict[int, int] = {}
        """By value: who has to see another."""
        self.all_differing = 0
        self.writes: dict[int, list[int]] = {}
        """By value: the operations that would write it."""
        self.all_writes = 0
        self.swaps: dict[int, list[int]] = {}
        """By value: the operations that would replace it."""
        self.all_swaps = 0
        self.unknown_writes: dict[int, int] = {}
        """By class: how many."""
        self.unknown_swaps: dict[int, dict[int, int]] = {}
        """By the value that they would replace, by class: how many."""

    def enter(self, op: int) -> None:
        """The operation is invoked; or its return is undone."""
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
        """The operation returns; or its invocation is undone."""
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

    def undone(self, ops: list[int], done: int) -> Iterator[int]:
        """Those of the operations that have not been carried out."""
        bit = self._timeline.bit
        return (op for op in ops if not done & bit[op])


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
