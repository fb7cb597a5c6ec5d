"""Just-in-time search for a linearization under any model.

As the search on registers does, it carries nothing out before a return makes it necessary, keeps sets of
pending operations as bits, takes unknown operations that are alike for one another, and carries out what
only looks as soon as it may. What else could be left out depends on the model, and is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from sys import getsizeof
from typing import Final, NamedTuple

import numpy as np

from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.linearizability.tally import Tally
from ostrakon.checkers.models.model import ILLEGAL, Model, Operation, State

_COMPARED_MOST: Final = 48
_BYTES_EACH: Final = 300
"""Bytes of a configuration without its state: a key, a list and an entry of a table."""


class _Fork(NamedTuple):
    """A moment at which there was a choice, and the choices that are left, with where they lead."""

    at: int
    state: State
    done: int
    used: int
    choices: list[tuple[int, State]]
    told: int


class Search:
    """A search that can be continued. Choices are numbers of ops."""

    def __init__(self, ops: Sequence[Operation], model: Model) -> None:
        self._ops, self._step = ops, model.step
        self._is_pure = [model.pure(op) for op in ops]
        self._events = self._in_order_of_time()
        self._bit = self._bits()
        self._classes, highest = self._alike(model)
        self._tally = Tally(highest)
        self._pending: dict[int, None] = {}
        self._unknown: dict[int, list[int]] = {}
        """The pending operations of each class, in order of invocation."""
        self._at = self._deepest = self._done = self._used = 0
        self._state = model.initial
        self._forks: list[_Fork] = []
        self._order: list[int] = []
        self._seen: dict[tuple[int, State, int], list[int]] = {}
        self.nodes = 0
        self.remembered = 0
        """Bytes that what was seen takes: an estimate, so that it is the same for the same history."""

    def run(self, nodes: int) -> Decision | None:
        """Continue for this many nodes. Returns None if the part is not decided yet."""
        limit = self.nodes + nodes
        while True:
            op = self._advance()
            if op is None:
                return Linearized(np.array(self._order, np.int64))
            if not (self._is_new() and self._branch(op)) and not self._go_back():
                stuck = self._events[self._deepest] >> 1
                return Impossible(np.array([stuck]), "", until=self._ops[stuck].returned)
            if self.nodes >= limit:
                return None

    @property
    def reached(self) -> int | None:
        """The furthest return that it has come to: what came before it has a linearization."""
        event = self._events[self._deepest] if self._events else 0
        return self._ops[event >> 1].returned if event & 1 else None

    def _advance(self) -> int | None:
        """Go to the next return of an op that has not been carried out; None at the end."""
        while self._at < len(self._events):
            event = self._events[self._at]
            i = event >> 1
            if event & 1:
                if not self._done & self._bit[i]:
                    self._deepest = max(self._deepest, self._at)
                    return i
                self._done ^= self._bit[i]
                self._leave(i)
            else:
                self._enter(i)
                if self._is_pure[i] and self._ops[i].known:
                    self._look([i])
            self._at += 1
        return None

    def _is_new(self) -> bool:
        self.nodes += 1
        alike = self._seen.setdefault((self._at, self._state, self._done), [])
        if any(self._tally.within(used, self._used) for used in alike[-_COMPARED_MOST:]):
            return False
        alike.append(self._used)
        self.remembered += _BYTES_EACH + getsizeof(self._state)
        return True

    def _branch(self, returning: int) -> bool:
        """Choose what to carry out so that `returning` can return. False: there is nothing."""
        choices = [
            (i, new)
            for i in (*self._available(), *self._soonest_last(), returning)
            if (new := self._step(self._state, self._ops[i])) is not ILLEGAL
            and (self._ops[i].known or new != self._state)
        ]
        if not choices:
            return False
        self._forks.append(_Fork(self._at, self._state, self._done, self._used, choices, len(self._order)))
        return self._go_back()

    def _available(self) -> list[int]:
        """An unknown op of each class that has one left."""
        count, used = self._tally.count, self._used
        return [
            ops[taken] for alike, ops in self._unknown.items() if (taken := count(used, alike)) < len(ops)
        ]

    def _soonest_last(self) -> list[int]:
        """What is pending apart from the op that returns, the last to return first."""
        returning = self._events[self._at] >> 1
        left = [i for i in self._pending if i != returning and not self._done & self._bit[i]]
        return sorted(left, key=lambda i: -self._ops[i].returned)

    def _go_back(self) -> bool:
        """Return to the last fork and take its next choice. Returns False if there is none."""
        if not self._forks:
            return False
        at, _, self._done, self._used, choices, told = self._forks[-1]
        self._rewind(at)
        del self._order[told:]
        i, self._state = choices.pop()
        if not choices:
            self._forks.pop()
        self._order.append(i)
        if self._ops[i].known:
            self._done |= self._bit[i]
        else:
            self._used += self._tally.unit[self._classes[i]]
        self._look([j for j in self._pending if self._is_pure[j]])
        return True

    def _look(self, ops: list[int]) -> None:
        """Carry out those of the ops that change nothing."""
        for i in ops:
            if not self._done & self._bit[i] and self._step(self._state, self._ops[i]) == self._state:
                self._done |= self._bit[i]
                self._order.append(i)

    def _enter(self, i: int) -> None:
        if self._ops[i].known:
            self._pending[i] = None
        else:
            self._unknown.setdefault(self._classes[i], []).append(i)

    def _leave(self, i: int) -> None:
        if self._ops[i].known:
            del self._pending[i]
        else:
            self._unknown[self._classes[i]].remove(i)

    def _rewind(self, then: int) -> None:
        for at in range(self._at - 1, then - 1, -1):
            event = self._events[at]
            if event & 1:
                self._enter(event >> 1)
            else:
                self._leave(event >> 1)
        self._at = then

    def _in_order_of_time(self) -> list[int]:
        """Twice the op, plus 1 if it returns. Unknown ops that only look are left out."""
        moments = [(op.invoked, i << 1) for i, op in enumerate(self._ops) if op.known or not self._is_pure[i]]
        moments += [(op.returned, i << 1 | 1) for i, op in enumerate(self._ops) if op.known]
        return [event for _, event in sorted(moments)]

    def _bits(self) -> list[int]:
        """For each op the smallest bit that is free while it is pending."""
        bits, free, width = [0] * len(self._ops), [], 0
        for event in self._events:
            i = event >> 1
            if event & 1:
                free.append(bits[i])
            elif self._ops[i].known:
                if not free:
                    free.append(1 << width)
                    width += 1
                bits[i] = free.pop()
        return bits

    def _alike(self, model: Model) -> tuple[dict[int, int], list[int]]:
        """The class of each unknown op, and how many each class has."""
        who: Callable[[Operation], Hashable] = (
            (lambda op: None) if model.anonymous else (lambda op: op.process)
        )
        kinds = {i: (op.f, op.argument, who(op)) for i, op in enumerate(self._ops) if not op.known}
        numbers: dict[Hashable, int] = {}
        classes = {i: numbers.setdefault(kind, len(numbers)) for i, kind in kinds.items()}
        sizes = Counter(classes.values())
        return classes, [sizes[number] for number in range(len(numbers))]
