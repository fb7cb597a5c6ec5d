"""Placing the operations on registers into blocks, where each value that was seen was written only once.

A block is a write with all compare-and-swaps that follow it in a chain, and the reads of their values. An
unknown write that nobody saw needn't have happened and is left out; one that was seen did happen, and may
have returned whenever it likes. So unknown operations cost nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostrakon.checkers.linearizability.decision import Impossible
from ostrakon.checkers.linearizability.zones import START, Placement
from ostrakon.checkers.models.register_operations import DIFFERS, INITIAL, READ, SWAP, WRITE, RegisterColumns
from ostrakon.harness.history.columns import Ints, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where operations of registers were placed, and the parts for which that didn't work."""

    placement: Placement | None
    """The operations that were placed; None if that failed for all parts."""
    impossible: dict[int, Impossible]
    """The fault of each part that is visible without a search."""
    ambiguous: Mask
    """For each part, whether a value that was seen could have been written by more than one operation."""
    partial: Mask
    """For each part, whether there are operations which were not placed: those that saw another value."""


def place_registers(registers: RegisterColumns, part: Ints, parts: int) -> Placed:
    """Place the operations of several registers; `part` tells which one each is for."""
    if parts == 1 and _is_plainly_ambiguous(registers):
        partial = (registers.kind == DIFFERS).any()
        return Placed(None, {}, np.array([True]), np.array([partial]))
    values = _Values(registers, part, parts)
    impossible: dict[int, Impossible] = {}
    values.blame_unwritten(registers.known, impossible)
    ambiguous = values.ambiguous()
    if (ambiguous | _has(list(impossible), parts)).all():
        return Placed(None, impossible, ambiguous, values.partial)
    values.forget(ambiguous | _has(list(impossible), parts))
    values.blame_unwritten(
        ~registers.known, impossible
    )  # An unknown swap took place only if nobody else wrote so.
    values.forget(_has(list(impossible), parts))
    root, depth = values.chains(impossible)
    values.forget(_has(list(impossible), parts))
    return Placed(values.placement(root, depth), impossible, ambiguous, values.partial)


def _is_plainly_ambiguous(registers: RegisterColumns) -> bool:
    """Whether every value that one register was seen to have has a writer, and one of them several.

    All else would say so too, in ten times the time that it takes to search a short history.
    """
    kind, expected, written = registers.kind, registers.expected, registers.written
    seen = expected[registers.known & ((kind == READ) | (kind == SWAP))]
    writes = written[(kind == WRITE) | ((kind == SWAP) & (expected != written))]
    writers = np.bincount(writes, minlength=1 + int(seen.max(initial=INITIAL)))
    writers[INITIAL] += 1
    of_seen = writers[seen]
    return bool((of_seen > 1).any() and (of_seen > 0).all())


def _has(found: list[int], parts: int) -> Mask:
    mask = np.zeros(parts, bool)
    mask[found] = True
    return mask


class _Values:
    """Each value that a register had at some time, and who wrote, saw or replaced it.

    A value is numbered by its part and its code. What was written and never seen gets a number of its own
    for each time it was written.
    """

    def __init__(self, registers: RegisterColumns, part: Ints, parts: int) -> None:
        self._part = part
        self._parts = parts
        span = 1 + int(max(registers.expected.max(initial=0), registers.written.max(initial=0)))
        self._registers = registers
        idle = (registers.kind == SWAP) & (registers.expected == registers.written)
        self.partial = np.bincount(part[registers.kind == DIFFERS], minlength=parts) > 0
        looks = ((registers.kind == READ) | idle) & registers.known
        writes = (registers.kind > DIFFERS) & ~idle
        seen_code, written_code, start_code = self._codes(span)
        self.count = 1 + int(
            max(seen_code.max(initial=0), written_code.max(initial=0), start_code.max(initial=0))
        )
        self.start = start_code
        swaps = writes & (registers.kind == SWAP)
        seen, took_place = self._seen(seen_code, written_code, looks, swaps)
        self.reads = np.flatnonzero(looks)
        self.read_value = seen_code[self.reads]
        self.writes = np.flatnonzero(writes & (registers.known | took_place | seen[written_code]))
        self.written_value = written_code[self.writes]
        unseen = np.flatnonzero(~seen[self.written_value])
        self.written_value[unseen] = self.count + np.arange(len(unseen))
        self.count += len(unseen)
        swapping = registers.kind[self.writes] == SWAP
        self.replaced = np.where(swapping, seen_code[self.writes], -1)

    def _codes(self, span: int) -> tuple[Ints, Ints, Ints]:
        registers, part = self._registers, self._part
        seen, written = part * span + registers.expected, part * span + registers.written
        start = np.arange(self._parts) * span + INITIAL
        if self._parts * span <= 8 * len(part) + 1024:
            return seen, written, start
        _, dense = np.unique(np.concatenate((seen, written, start)), return_inverse=True)
        return dense[: len(part)], dense[len(part) : 2 * len(part)], dense[2 * len(part) :]

    def _seen(self, seen_code: Ints, written_code: Ints, looks: Mask, swaps: Mask) -> tuple[Mask, Mask]:
        """Which values were seen, and which swaps took place: an unknown one did if its value was seen."""
        seen = np.zeros(self.count, bool)
        seen[seen_code[looks]] = True
        took_place = swaps & self._registers.known
        seen[seen_code[took_place]] = True
        unsure = swaps & ~took_place
        while (news := unsure & seen[written_code]).any():
            took_place |= news
            unsure &= ~news
            seen[seen_code[news]] = True
        return seen, took_place

    def blame_unwritten(self, among: Mask, impossible: dict[int, Impossible]) -> None:
        """The operations that saw a value that nobody wrote."""
        written = np.zeros(self.count, bool)
        written[self.written_value] = True
        written[self.start] = True
        swaps = np.flatnonzero(self.replaced >= 0)
        lost = self.writes[swaps[~written[self.replaced[swaps]]]]
        found = np.concatenate((self.reads[~written[self.read_value]], lost))
        for row in found[among[found]].tolist():
            blamed = Impossible(np.array([row]), "a value was seen that nobody had written")
            impossible.setdefault(int(self._part[row]), blamed)

    def ambiguous(self) -> Mask:
        """The parts in which several operations wrote a value that was seen."""
        writers = np.bincount(self.written_value, minlength=self.count)
        writers[self.start] += 1
        twice = self.writes[writers[self.written_value] > 1]
        return np.bincount(self._part[twice], minlength=self._parts) > 0

    def forget(self, parts: Mask) -> None:
        """Leave out what belongs to these parts."""
        if parts.any():
            reads, writes = ~parts[self._part[self.reads]], ~parts[self._part[self.writes]]
            self.reads, self.read_value = self.reads[reads], self.read_value[reads]
            self.writes, self.written_value = self.writes[writes], self.written_value[writes]
            self.replaced = self.replaced[writes]

    def chains(self, impossible: dict[int, Impossible]) -> tuple[Ints, Ints]:
        """For each value the one that its chain of swaps begins with, and how many lie between."""
        swaps = np.flatnonzero(self.replaced >= 0)
        root, depth = np.arange(self.count), np.zeros(self.count, np.int64)
        if not len(swaps):
            return root, depth
        self._blame_rivals(swaps, impossible)
        root[self.written_value[swaps]] = self.replaced[swaps]
        depth[self.written_value[swaps]] = 1
        for _ in range(1 + len(swaps).bit_length()):  # Each round looks twice as far back.
            depth += depth[root]
            root = root[root]
        circular = swaps[depth[root[self.written_value[swaps]]] > 0]
        for row in self.writes[circular].tolist():
            blamed = Impossible(
                np.array([row]), "compare-and-swaps form a circle, in which none can be first"
            )
            impossible.setdefault(int(self._part[row]), blamed)
        return root, depth

    def _blame_rivals(self, swaps: Ints, impossible: dict[int, Impossible]) -> None:
        """Two swaps can't have replaced the same value, if it was written once."""
        ordered = swaps[np.argsort(self.replaced[swaps], kind="stable")]
        twice = np.flatnonzero(self.replaced[ordered][1:] == self.replaced[ordered][:-1])
        for at in twice.tolist():
            rows = self.writes[ordered[[at, at + 1]]]
            blamed = Impossible(rows, "two compare-and-swaps replaced one value that was written once")
            impossible.setdefault(int(self._part[rows[0]]), blamed)

    def placement(self, root: Ints, depth: Ints) -> Placement:
        """All that is left, by block: a block for each chain, and in it two groups for each value."""
        present = np.zeros(self.count, bool)
        present[self.written_value] = True
        present[self.start] = True
        value = np.flatnonzero(present)
        part_of = np.zeros(self.count, np.int64)
        part_of[self.written_value] = self._part[self.writes]
        part_of[self.start] = np.arange(self._parts)
        if depth.any():
            value = value[np.lexsort((depth[value], root[value]))]
        rank = np.empty(self.count, np.int64)
        rank[value] = np.arange(len(value))
        begins = np.r_[True, root[value][1:] != root[value][:-1]]
        block = np.cumsum(begins) - 1
        rows = np.concatenate((self.writes, self.reads))
        registers, starts = self._registers, np.full(self._parts, START)
        return Placement(
            row=np.concatenate((rows, starts)),
            group=np.concatenate(
                (2 * rank[self.written_value], 2 * rank[self.read_value] + 1, 2 * rank[self.start])
            ),
            invoked=np.concatenate((registers.invoked[rows], starts - 1)),
            returned=np.concatenate((registers.returned[rows], starts)),
            block=np.repeat(block, 2),
            part=part_of[value[begins]],
        )  # fmt: skip
