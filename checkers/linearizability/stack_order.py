"""Deciding about a stack without search, where each value was pushed once: often, and not always.

From its push to its pop a value lies on the stack, and of two values the one that came later goes first. So
two values contradict each other if one came and went surely later, and an empty stack contradicts a value
that was surely on it. Where nothing does, an order is tried: everything as late as it can be, except that a
value is pushed before another one if it must lie under it, and popped before if it must not. Where that leads
nowhere, there is a lesson to be learned for the next attempt. The order that comes of it is only believed if
it is a linearization.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.models.model import Operation
from ostrakon.harness.history.columns import NEVER


@dataclass(slots=True, eq=False)
class _Value:
    """Something that was pushed, and popped by an operation that answered it, if by any."""

    push: Operation
    pop: Operation | None

    @property
    def leaves(self) -> int:
        """The earliest moment at which the value can leave the stack."""
        return NEVER if self.pop is None else self.pop.invoked

    @property
    def left(self) -> int:
        """The latest moment at which the value can leave the stack."""
        return NEVER if self.pop is None else self.pop.returned


def decide_stack(ops: Sequence[Operation]) -> Decision | None:
    """Decide about `push`es and `pop`s; None where that would take a search, or where a value came twice."""
    pushes: dict[Hashable, Operation] = {}
    for op in ops:
        if op.f == "push" and (op.argument is None or pushes.setdefault(op.argument, op) is not op):
            return None
    pops: dict[Hashable, Operation] = {}
    for op in ops:
        if op.f == "pop" and op.known and op.result is not None and pops.setdefault(op.result, op) is not op:
            twice = [each for each in (pushes.get(op.result), pops[op.result], op) if each is not None]
            return _impossible(twice, f"{op.result!r} was popped twice")
    values = {
        name: _Value(push, pops.get(name)) for name, push in pushes.items() if push.known or name in pops
    }
    if (contradiction := next(_contradictions(ops, values, pops), None)) is not None:
        return contradiction
    learned: set[_Lesson] = set()
    for _ in range(_ATTEMPTS):
        attempt = _Attempt(values, learned)
        if (order := attempt.order(ops)) is not None:
            return Linearized(np.array(order, np.int64))
        if attempt.lesson is None:
            return None
        learned.add(attempt.lesson)
    return None


def _impossible(ops: Sequence[Operation], why: str) -> Impossible:
    return Impossible(np.unique([op.row for op in ops]), why)


def _contradictions(
    ops: Sequence[Operation], values: dict[Hashable, _Value], pops: dict[Hashable, Operation]
) -> Iterator[Impossible]:
    for name, pop in pops.items():
        if name not in values or pop.returned < values[name].push.invoked:
            yield _impossible([pop], f"{name!r} was popped before anybody had pushed it")
            return
    takers = any(op.f == "pop" and not op.known for op in ops)
    # If nobody is known to have popped it, an unknown pop could have.
    sure = [value for value in values.values() if value.pop is not None or not takers]
    comes = np.array([value.push.invoked for value in sure], np.int64)
    came = np.array([value.push.returned for value in sure], np.int64)
    leaves = np.array([value.leaves for value in sure], np.int64)
    for below in sure:
        later = (below.push.returned < comes) & (came < below.leaves) & (below.left < leaves)
        for at in np.flatnonzero(later)[:1].tolist():
            lying = [op for value in (below, sure[at]) for op in (value.push, value.pop) if op is not None]
            yield _impossible(lying, "a value was popped from under another one")
    for op in ops:
        if op.f == "pop" and op.known and op.result is None:
            for at in np.flatnonzero((came < op.invoked) & (op.returned < leaves))[:1].tolist():
                yield _impossible([op, sure[at].push], "the stack was found empty while a value was on it")


_ATTEMPTS: Final = 100

_Lesson = tuple[Literal["under", "gone"], int, int]
"""Rows of two pushes: when the first is done, the other is done under it; or has been undone by then."""


class _Stuck(Exception):
    """An order that cannot be completed."""


class _Attempt:
    """An order, made up while going through the events."""

    def __init__(self, values: dict[Hashable, _Value], learned: set[_Lesson]) -> None:
        self._values = values
        self._learned = learned
        self.lesson: _Lesson | None = None
        """What would have spared it from getting stuck, if that is known."""
        self._stack: list[_Value] = []
        self._order: list[int] = []
        self._done: set[int] = set()
        self._pushing: dict[int, _Value] = {}
        """By row of its push: what has not been pushed yet."""
        self._looking: list[Operation] = []
        """Who waits for the stack to be empty."""
        self._invoked: set[int] = set()
        self._takers: list[Operation] = []
        """Unknown pops, any of which may have taken something."""

    def order(self, ops: Sequence[Operation]) -> list[int] | None:
        """The rows in the order they come to; None if they get stuck."""
        events = [(op.invoked, False, op) for op in ops] + [(op.returned, True, op) for op in ops if op.known]
        try:
            for _, returns, op in sorted(events, key=lambda event: event[0]):
                if not returns:
                    self._invoke(op)
                elif op.row not in self._done:
                    self._finish(op)
        except _Stuck:
            return None
        return self._order

    def _invoke(self, op: Operation) -> None:
        self._invoked.add(op.row)
        if op.f == "push":
            if op.argument in self._values:
                self._pushing[op.row] = self._values[op.argument]
        elif not op.known:
            self._takers.append(op)
        elif op.result is None:
            self._looking.append(op)
            self._look()

    def _finish(self, op: Operation) -> None:
        if op.f == "push":
            self._push(self._values[op.argument])
            return
        value = None if op.result is None else self._values[op.result]
        if value is not None and value.push.row in self._pushing:
            self._push(value)
        while op.row not in self._done:
            if not self._stack:
                raise _Stuck
            if value is not None and not self._can_pop():
                self._learn(value, self._stack[-1], value, self._stack[-1])
            self._pop()

    def _push(self, value: _Value) -> None:
        """First goes what must not lie under it, and comes what must."""
        coming = self._under(value)
        leaves = max(each.leaves for each in coming)
        gone = next(
            (
                at
                for at, lower in enumerate(self._stack)
                if lower.left < leaves or ("gone", value.push.row, lower.push.row) in self._learned
            ),
            len(self._stack),
        )
        while len(self._stack) > gone:
            if not self._can_pop():
                self._learn(self._stack[-1], coming[0], self._stack[gone], self._stack[-1])
                break
            self._pop()
        for each in coming:
            del self._pushing[each.push.row]
            self._stack.append(each)
            self._carry_out(each.push)

    def _under(self, value: _Value) -> list[_Value]:
        """What is pushed now, lowest first: the value, and under it what must lie there."""
        depth, fresh = {value.push.row: value.leaves}, [value]
        coming = [value]
        while fresh:
            upper = fresh.pop()
            for row, other in self._pushing.items():
                must = upper.left < other.leaves and other.push.returned < upper.leaves
                if row not in depth and (must or ("under", upper.push.row, row) in self._learned):
                    depth[row] = max(other.leaves, depth[upper.push.row])
                    coming.append(other)
                    fresh.append(other)
        coming.reverse()  # What was found last lies lowest, other things being equal.
        return sorted(coming, key=lambda each: -depth[each.push.row])

    def _learn(self, upper: _Value, lower: _Value, gone: _Value, later: _Value) -> None:
        """Give up, if it would have helped to push `lower` with `upper`, or to pop `gone` before `later`."""
        for lesson, possible in (
            (("under", upper.push.row, lower.push.row), lower.push.invoked < upper.push.returned),
            (("gone", later.push.row, gone.push.row), gone.leaves < later.push.returned),
        ):
            if possible and lesson not in self._learned:
                self.lesson = lesson  # type: ignore[assignment]
                raise _Stuck

    def _can_pop(self) -> bool:
        pop = self._stack[-1].pop
        return pop.row in self._invoked if pop is not None else bool(self._takers)

    def _pop(self) -> None:
        if not self._can_pop():
            raise _Stuck
        pop = self._stack.pop().pop
        self._carry_out(pop if pop is not None else self._takers.pop())
        self._look()

    def _look(self) -> None:
        if not self._stack:
            for op in self._looking:
                self._carry_out(op)
            self._looking.clear()

    def _carry_out(self, op: Operation) -> None:
        self._order.append(op.row)
        self._done.add(op.row)
