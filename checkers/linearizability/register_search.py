"""Just-in-time search for a linearization on one register with compare-and-swap: any values, unknown ops.

Nothing is carried out before a return makes it necessary (G. Lowe, "Testing for linearizability", 2017), and
then six rules keep the choices few:

1. What only looks is carried out the moment the value is right.
2. A pending write that any plain write was carried out beside is *absorbed* by it for nothing: it goes right
   before. So does one whose value the register has at some moment.
3. Of equal pending writes or swaps the one that returns first is used; of equal unknown ones, any.
4. A write is tried only if someone waits for its value, or for the present one to go.
5. A value that is needed later and that nobody can write again is not given up.
6. A configuration is dropped if one at least as free has been seen at the same event.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, NamedTuple

import numpy as np

from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.linearizability.pending import UNKNOWN_WRITE, Pending, Timeline
from ostrakon.checkers.linearizability.tally import Tally
from ostrakon.checkers.models.register_operations import DIFFERS, INITIAL, READ, SWAP, WRITE, RegisterColumns

_BYTES_EACH: Final = 350
"""Bytes of a configuration: five numbers, a tuple and an entry of a table."""
_COMPARED_MOST: Final = 48
"""Configurations that a new one is compared with: rule 6 saves work and needn't save all."""


class _Fork(NamedTuple):
    """A moment at which there was a choice, and the choices that are left."""

    at: int
    value: int
    done: int
    absorbed: int
    used: int
    choices: list[int]
    told: int


class _Seen(NamedTuple):
    """The parts of a configuration by which it can make another one superfluous."""

    looked: int
    absorbed: int
    written: int
    unwritten: int
    used: int


class RegisterSearch:
    """A search that can be continued.

    A choice is an operation, or `~c` for an unknown operation of class `c`. `done` has the bits of the
    pending operations that have been carried out, `absorbed` those of writes that can be had for nothing.
    """

    def __init__(self, registers: RegisterColumns) -> None:
        self._line = Timeline(registers)
        self._pending = Pending(self._line)
        self._tally = Tally([count for _, count in sorted(Counter(self._line.class_of.values()).items())])
        self._last_need, self._last_source = self._line.last_need, self._line.last_source
        self._at = self._deepest = self._done = self._absorbed = self._used = 0
        self._value = INITIAL
        self._forks: list[_Fork] = []
        self._story: list[tuple[int, int]] = []
        self._seen: dict[tuple[int, int, int], list[_Seen]] = {}
        self.nodes = 0
        self.remembered = 0
        """The estimated size of the configurations that were visited, in bytes."""

    def run(self, nodes: int) -> Decision | None:
        """Continue for this many nodes. Returns None if the part is not decided yet."""
        limit = self.nodes + nodes
        while True:
            op = self._advance()
            if op is None:
                return Linearized(np.array(expand(self._line, self._story), np.int64))
            if not (self._is_new() and self._branch(op)) and not self._go_back():
                return self._stuck()
            if self.nodes >= limit:
                return None

    def _advance(self) -> int | None:
        """Go to the next return of an operation that has not been carried out; None at the end."""
        line, pending, at = self._line, self._pending, self._at
        events, kinds, bits = line.events, line.kind, line.bit
        value, done, absorbed = self._value, self._done, self._absorbed
        enter, leave = pending.enter, pending.leave
        waiting = None
        while at < len(events):
            event = events[at]
            op = event >> 1
            if event & 1:
                if not done & bits[op]:
                    waiting = op
                    break
                done ^= bits[op]
                leave(op)
            else:
                enter(op)
                kind = kinds[op]
                if kind == READ:
                    if line.expected[op] == value:
                        done |= bits[op]
                elif kind == WRITE:
                    if line.written[op] == value:
                        absorbed |= bits[op]
                elif kind == DIFFERS and line.expected[op] != value:
                    done |= bits[op]
            at += 1
        self._at, self._done, self._absorbed = at, done, absorbed & ~done
        if at > self._deepest:
            self._deepest = at
        return waiting

    def _is_new(self) -> bool:
        """Whether nothing at least as free has been seen here before. If so, it has been seen now."""
        self.nodes += 1
        pending, done, absorbed, used = self._pending, self._done, self._absorbed, self._used
        written = pending.all_writes & done
        unwritten = pending.all_writes & ~absorbed & ~done
        looked = done & ~pending.all_writes & ~pending.all_swaps
        key = (self._at, self._value, done & pending.all_swaps)
        alike = self._seen.get(key)
        if alike is None:
            self._seen[key] = [_Seen(looked, absorbed, written, unwritten, used)]
        else:
            within = self._tally.within
            for its_looked, its_absorbed, its_written, its_unwritten, its_used in alike[-_COMPARED_MOST:]:
                if not (
                    looked & ~its_looked
                    or absorbed & ~its_absorbed
                    or its_written & unwritten
                    or written & its_unwritten
                ) and (its_used == used or within(its_used, used)):
                    return False
            alike.append(_Seen(looked, absorbed, written, unwritten, used))
        self.remembered += _BYTES_EACH
        return True

    def _branch(self, op: int) -> bool:
        """Choose what to carry out so that `op` can return. False: there is nothing."""
        line, value = self._line, self._value
        kept = self._must_keep()
        choices = self._choices(op)
        if kept:
            choices = [choice for choice in choices if self._leads_to(choice) == value]
        kind = line.kind[op]
        if kind == WRITE:
            changes = line.written[op] != value
            if self._absorbed & line.bit[op]:
                if not (kept if changes else not self._absorbs_any(op)):
                    choices.insert(0, op)
                self._fork(choices)
                self._done |= line.bit[op]
                self._absorbed &= ~line.bit[op]
                return True
            if not (kept and changes):
                choices.append(op)
        elif kind == SWAP and line.expected[op] == value:
            if not kept:
                choices.append(op)
        elif kind != DIFFERS:
            wanted = line.expected[op]
            choices.sort(key=lambda choice: self._leads_to(choice) == wanted)
        if not choices:
            return False
        choice = choices.pop()
        self._fork(choices)
        self._take(choice)
        return True

    def _choices(self, returning: int) -> list[int]:
        """What could be carried out now, apart from the operation that returns; the best comes last."""
        line, pending, value, done = self._line, self._pending, self._value, self._done
        choices = []
        for alike, count in pending.unknown_writes.items():
            left = self._tally.count(self._used, alike) < count
            if left and self._is_useful(line.classes[alike][2], 0):
                choices.append(~alike)
        for alike, count in pending.unknown_swaps.get(value, {}).items():
            if self._tally.count(self._used, alike) < count:
                choices.append(~alike)
        for written, ops in pending.writes.items():
            op = self._first(ops, returning)
            if op is not None and self._is_useful(written, line.bit[op]):
                choices.append(op)
        soonest: dict[int, int] = {}
        returned = line.returned
        for op in pending.swaps.get(value, ()):
            if op != returning and not done & line.bit[op]:
                other = soonest.setdefault(line.written[op], op)
                if returned[op] < returned[other]:
                    soonest[line.written[op]] = op
        choices.extend(soonest.values())
        return choices

    def _first(self, ops: list[int], returning: int) -> int | None:
        """The operation that returns first (rule 3)."""
        bit, returned, done = self._line.bit, self._line.returned, self._done
        best = None
        for op in ops:
            if not done & bit[op] and op != returning and (best is None or returned[op] < returned[best]):
                best = op
        return best

    def _is_useful(self, written: int, bit: int) -> bool:
        """Whether it would help anyone if this were written now (rule 4)."""
        pending, done, value = self._pending, self._done, self._value
        if written == value:
            return bool(pending.all_writes & ~self._absorbed & ~done & ~bit)
        if pending.reads.get(written, 0) & ~done or pending.differing.get(value, 0) & ~done:
            return True
        if written in pending.unknown_swaps:
            return True
        line_bit = self._line.bit
        return any(not done & line_bit[op] for op in pending.swaps.get(written, ()))

    def _absorbs_any(self, op: int) -> bool:
        """Whether a write of the present value would be of use to another write."""
        return bool(self._pending.all_writes & ~self._absorbed & ~self._done & ~self._line.bit[op])

    def _must_keep(self) -> bool:
        """Whether the present value is needed later, and cannot be had again (rule 5)."""
        value, at, done = self._value, self._at, self._done
        if self._last_need.get(value, -1) <= at or self._last_source.get(value, -1) >= at:
            return False
        bit, written = self._line.bit, self._line.written
        if any(not done & bit[op] for op in self._pending.writes.get(value, ())):
            return False
        return not any(
            written[op] == value and not done & bit[op] for ops in self._pending.swaps.values() for op in ops
        )

    def _leads_to(self, choice: int) -> int:
        return self._line.written[choice] if choice >= 0 else self._line.classes[~choice][2]

    def _take(self, choice: int) -> None:
        """Execute the operation, and every operation that can follow without a choice (rules 1 and 2)."""
        line, pending = self._line, self._pending
        self._story.append((self._at, choice))
        if choice >= 0:
            kind, value = line.kind[choice], line.written[choice]
            self._done |= line.bit[choice]
        else:
            kind, _, value = line.classes[~choice]
            self._used += self._tally.unit[~choice]
        self._value = value
        self._done |= pending.reads.get(value, 0) | pending.all_differing & ~pending.differing.get(value, 0)
        if kind in (WRITE, UNKNOWN_WRITE):
            self._absorbed = pending.all_writes
        else:
            for op in pending.writes.get(value, ()):
                self._absorbed |= line.bit[op]
        self._absorbed &= ~self._done

    def _fork(self, choices: list[int]) -> None:
        if choices:
            self._forks.append(
                _Fork(
                    self._at, self._value, self._done, self._absorbed, self._used, choices, len(self._story)
                )
            )

    def _go_back(self) -> bool:
        """Return to the last fork and take its next choice. Returns False if there is none."""
        if not self._forks:
            return False
        at, value, done, absorbed, used, choices, told = self._forks[-1]
        self._pending.rewind(self._line.events, self._at, at)
        self._at, self._value, self._done, self._absorbed, self._used = at, value, done, absorbed, used
        del self._story[told:]
        choice = choices.pop()
        if not choices:
            self._forks.pop()
        self._take(choice)
        return True

    def _stuck(self) -> Impossible:
        op = self._line.events[self._deepest] >> 1
        return Impossible(np.array([op]), "", until=self._line.returned[op])


def expand(line: Timeline, story: list[tuple[int, int]]) -> list[int]:
    """All operations in order, given the choices and the events before which they were made."""
    return _Expansion(line, story).order


class _Expansion:
    """Goes through the events once, and puts what was had for nothing where it was to be had."""

    def __init__(self, line: Timeline, story: list[tuple[int, int]]) -> None:
        self._line = line
        self._value = INITIAL
        self._chosen = {choice for _, choice in story if choice >= 0}
        self._looking: list[int] = []
        self._writing: list[int] = []
        self._unknown: dict[int, deque[int]] = {}
        self.order: list[int] = []
        choices = deque(story)
        for at, event in enumerate(line.events):
            while choices and choices[0][0] == at:
                self._carry_out(choices.popleft()[1])
            if not event & 1:
                self._invoke(event >> 1)

    def _invoke(self, op: int) -> None:
        line = self._line
        kind = line.kind[op]
        if kind >= UNKNOWN_WRITE:
            self._unknown.setdefault(line.class_of[op], deque()).append(op)
        elif kind in (READ, DIFFERS):
            (self.order if self._sees(op) else self._looking).append(op)
        elif kind == WRITE and op not in self._chosen:
            (self.order if line.written[op] == self._value else self._writing).append(op)

    def _carry_out(self, choice: int) -> None:
        line = self._line
        op = choice if choice >= 0 else self._unknown[~choice].popleft()
        if line.kind[op] in (WRITE, UNKNOWN_WRITE):
            self.order += self._writing
            self._writing.clear()
        self.order.append(op)
        self._value = line.written[op]
        self._look()
        self._write_again()

    def _sees(self, op: int) -> bool:
        return (self._line.expected[op] == self._value) == (self._line.kind[op] == READ)

    def _look(self) -> None:
        """Those who wait for what can be seen now have seen it."""
        if seen := [op for op in self._looking if self._sees(op)]:
            self.order += seen
            self._looking = [op for op in self._looking if op not in seen]

    def _write_again(self) -> None:
        """Writes of the value that is there already change nothing."""
        if same := [op for op in self._writing if self._line.written[op] == self._value]:
            self.order += same
            self._writing = [op for op in self._writing if op not in same]
