"""Deciding about a queue without search: values leave in the order in which they entered, in that one order.

Value a must be before b if a's enqueue returned before b's was invoked, or a's dequeue before b's. An order
of the values that obeys this can be had by taking one after another that nothing left must precede; if there
comes a moment when there is none, there is no such order, and the queue can't have been one (compare
T. Henzinger, A. Sezgin and V. Vafeiadis, "Aspect-oriented linearizability proofs", CONCUR 2013). The rest is
arithmetic: all dequeues as early and all enqueues as late as the order allows, which leaves most room for the
queue to be empty.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import zip_longest

import numpy as np

from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.models.model import Operation
from ostrakon.harness.history.columns import NEVER


@dataclass(slots=True, eq=False)
class _Item:
    """A value of the queue, and the periods in which it entered and left."""

    enqueue: Operation
    dequeue: Operation | None
    enters: float
    entered: float
    leaves: float
    left: float


def decide_queue(ops: Sequence[Operation]) -> Decision | None:
    """Decide about `enqueue`s and `dequeue`s; None where that would take a search.

    Which dequeue belongs to which enqueue is clear if no value is enqueued twice; if not, a guess is
    tried, and what comes of it is only believed if it is a linearization.
    """
    entering, leaving = _by_value(ops, "enqueue"), _by_value(ops, "dequeue")
    for value, dequeues in leaving.items():
        enqueues = entering.get(value, [])
        if value is not None and len(dequeues) > len(enqueues):
            rows = [op.row for op in (*enqueues, *dequeues)]
            return Impossible(np.array(rows), f"{value!r} was taken more often than it was put in")
    items = [
        _item(enqueue, dequeue)
        for value, enqueues in entering.items()
        for enqueue, dequeue in zip_longest(enqueues, leaving.get(value, []) if value is not None else [])
        if enqueue.known or dequeue is not None
    ]
    takers = [op for op in ops if op.f == "dequeue" and not op.known]
    ordered, stuck = _in_order(items, takers)
    clear = all(len(enqueues) == 1 for enqueues in entering.values()) and None not in entering
    if stuck:
        why = "values did not leave the queue in an order in which they can have entered it"
        return Impossible(np.unique([op.row for op in stuck]), why) if clear and not takers else None
    order = _placed(ordered, leaving.get(None, []))
    return None if order is None else Linearized(np.array(order, np.int64))


def _by_value(ops: Sequence[Operation], f: str) -> dict[Hashable, list[Operation]]:
    """Those of one function by value, in order of invocation; without dequeues of which nothing was heard."""
    found: dict[Hashable, list[Operation]] = {}
    for op in sorted(ops, key=lambda op: (not op.known, op.invoked)):
        if op.f == f and (op.known or f == "enqueue"):
            found.setdefault(op.argument if f == "enqueue" else op.result, []).append(op)
    return found


def _item(enqueue: Operation, dequeue: Operation | None) -> _Item:
    if dequeue is None:
        return _Item(enqueue, None, enqueue.invoked, enqueue.returned, NEVER, NEVER)
    entered = min(enqueue.returned, dequeue.returned)
    leaves = max(dequeue.invoked, enqueue.invoked)
    return _Item(enqueue, dequeue, enqueue.invoked, entered, leaves, dequeue.returned)


def _in_order(items: list[_Item], takers: list[Operation]) -> tuple[list[_Item], list[Operation]]:
    """The items in an order that obeys what must be; or operations that can't be brought into one.

    If an item must have left though nobody is known to have taken it, one of the unknown takers did.
    """
    hasty = next((item for item in items if item.entered < item.enters), None)
    if hasty is not None:
        return [], _operations(hasty)
    waiting = sorted(items, key=lambda item: item.enters)
    entered, left = (
        _Soonest((item.entered, item) for item in items),
        _Soonest((item.left, item) for item in items),
    )
    ready, free = _Soonest(()), sorted(takers, key=lambda op: -op.invoked)
    ordered: list[_Item] = []
    at = 0
    while len(ordered) < len(items):
        first, rival = entered.item, left.item
        while at < len(waiting) and waiting[at].enters <= first.entered:
            ready.add(waiting[at].leaves, waiting[at])
            at += 1
        item = ready.item
        if item.leaves > rival.left:
            if first.dequeue is not None or not free or max(free[-1].invoked, first.enters) > rival.left:
                return [], _operations(item, rival, first)
            item = first
            ordered.append(_taken_by(item, free.pop()))
        else:
            ordered.append(item)
        for heap in (entered, left, ready):
            heap.gone.add(id(item))
    return ordered, []


def _taken_by(item: _Item, taker: Operation) -> _Item:
    leaves = max(taker.invoked, item.enters)
    return _Item(item.enqueue, taker, item.enters, item.entered, leaves, NEVER)


def _operations(*items: _Item) -> list[Operation]:
    return [op for item in items for op in (item.enqueue, item.dequeue) if op is not None]


class _Soonest:
    """Yields, of the items that are left, the one with the smallest bound."""

    def __init__(self, bounds: Iterable[tuple[float, _Item]]) -> None:
        self._heap = [(bound, item.enqueue.row, item) for bound, item in bounds]
        self.gone: set[int] = set()
        heapify(self._heap)

    @property
    def item(self) -> _Item:
        while id(self._heap[0][2]) in self.gone:
            heappop(self._heap)
        return self._heap[0][2]

    def add(self, bound: float, item: _Item) -> None:
        heappush(self._heap, (bound, item.enqueue.row, item))


def _placed(items: list[_Item], empty: list[Operation]) -> list[int] | None:
    """The rows in order; None if there is no room for those who found the queue empty.

    A quarter after an event is right after it, and a quarter before it right before.
    """
    leaves, enters = [], [0.0] * len(items)
    moment = -1.0
    for item in items:
        moment = max(moment, item.leaves + 0.25)
        leaves.append(moment)
    moment = float(NEVER)
    for at in range(len(items) - 1, -1, -1):
        moment = min(moment, items[at].entered - 0.25, leaves[at])
        enters[at] = moment
    placed = [(enters[at], at, 0, item.enqueue.row) for at, item in enumerate(items)]
    placed += [(leaves[at], at, 1, item.dequeue.row) for at, item in enumerate(items) if item.dequeue]
    for op in empty:
        gap = _gap(enters, leaves, op.invoked + 0.25, op.returned - 0.25)
        if gap is None:
            return None
        placed.append((gap, _after(leaves, gap), -1, op.row))
    return [row for *_, row in sorted(placed)]


def _gap(enters: list[float], leaves: list[float], begin: float, end: float) -> float | None:
    """A moment from `begin` to `end` at which the queue is empty."""
    moment = begin
    while moment <= end:
        at = _after(leaves, moment)
        if at == len(leaves) or enters[at] >= moment:
            return moment
        moment = leaves[at]
    return None


def _after(leaves: list[float], moment: float) -> int:
    """The first item that has not left by then."""
    return bisect_right(leaves, moment)
