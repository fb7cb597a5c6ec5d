"""From the few choices that a search made to the whole linearization that they stand for."""

from __future__ import annotations

from collections import deque

from ostrakon.checkers.linearizability.pending import UNKNOWN_WRITE, Timeline
from ostrakon.checkers.models.register_operations import DIFFERS, INITIAL, READ, WRITE


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
