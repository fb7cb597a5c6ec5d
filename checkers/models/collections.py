"""Sets, queues, stacks and counters. The values that they hold can be anything."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ostrakon.checkers.models.model import ILLEGAL, Illegal, Model, Operation, State
from ostrakon.harness.history import UnsuitableHistory
from ostrakon.harness.history.value import FALSE, TRUE

_Items = tuple[Hashable, ...]


def element_set() -> Model:
    """`add` and `remove` an element; `contains` answers true or false; `read` answers all elements.

    An answer of `[element, true or false]` will do for `contains` as well.
    """
    return Model(
        "set",
        frozenset(),
        _hold,
        fs=frozenset({"add", "remove", "contains", "read"}),
        pure=lambda op: op.f in ("contains", "read"),
        key=lambda op: None if op.f == "read" else (op.argument,),
        method="set",
    )


def _hold(held: frozenset[Hashable], op: Operation) -> State | Illegal:
    match op.f:
        case "add":
            return held | {op.argument}
        case "remove":
            return held - {op.argument}
        case _ if not op.known:
            return held
        case "contains":
            answer = op.result[1] if isinstance(op.result, tuple) else op.result
            return held if answer == (TRUE if op.argument in held else FALSE) else ILLEGAL
        case _:
            answer = op.result or ()
            if not isinstance(answer, tuple | frozenset):
                raise UnsuitableHistory(f"op {op.invoked}: a set was read as {answer!r}, expected a list")
            return held if len(answer) == len(held) and held.issuperset(answer) else ILLEGAL


def fifo_queue() -> Model:
    """`enqueue` at the end; `dequeue` answers what is first, or nil if there is nothing."""
    return Model(
        "fifo-queue",
        (),
        _queue,
        fs=frozenset({"enqueue", "dequeue"}),
        needless=_needless,
        method="queue",
    )


def _queue(items: _Items, op: Operation) -> State | Illegal:
    if op.f == "enqueue":
        return (*items, op.argument)
    return _taken(items, op, items[:1], items[1:])


def stack() -> Model:
    """`push` on top; `pop` answers what is on top, or nil if there is nothing."""
    return Model("stack", (), _stack, fs=frozenset({"push", "pop"}), needless=_needless, method="stack")


def _stack(items: _Items, op: Operation) -> State | Illegal:
    if op.f == "push":
        return (*items, op.argument)
    return _taken(items, op, items[-1:], items[:-1])


def _taken(items: _Items, op: Operation, offered: _Items, rest: _Items) -> State | Illegal:
    if not op.known or op.result == (offered[0] if offered else None):
        return rest
    return ILLEGAL


def _needless(ops: Sequence[Operation]) -> set[int]:
    """What may have been put in and wasn't seen to come out might as well not have been, nor its taker.

    And there needn't be more unknown takers than things to take; those that came first will do.
    """
    seen = {op.result for op in ops if _takes(op) and op.known}
    unseen = {op.row for op in ops if not _takes(op) and not op.known and op.argument not in seen}
    stay = [op for op in ops if not _takes(op) and op.row not in unseen]
    taken = sum(_takes(op) and op.known and op.result is not None for op in ops)
    takers = [op.row for op in ops if _takes(op) and not op.known]
    return unseen | set(takers[max(len(stay) - taken, 0) :])


def _takes(op: Operation) -> bool:
    return op.f in ("dequeue", "pop")


def unordered_queue() -> Model:
    """`enqueue` something; `dequeue` answers something that is there, or nil if there is nothing."""
    return Model("unordered-queue", ((),), _bag, fs=frozenset({"enqueue", "dequeue"}), needless=_needless)


def _bag(state: tuple[_Items, ...], op: Operation) -> State | Illegal:
    """The items, in groups: a new group begins whenever something was taken and nobody knows what.

    Whoever took it could have had any one item of the groups before. So all may be gone if, counted
    from the end, there are nowhere more items than unknown takers after them.
    """
    *before, last = state
    if op.f == "enqueue":
        return (*before, tuple(sorted((*last, op.argument), key=repr)))
    if not op.known:
        return (*state, ()) if any(state) else state
    if op.result is None:
        return ((),) if _may_be_empty(state) else ILLEGAL
    for at in range(len(state) - 1, -1, -1):  # The latest: the earlier ones are more easily explained away.
        if op.result in state[at]:
            where = state[at].index(op.result)
            return (*state[:at], state[at][:where] + state[at][where + 1 :], *state[at + 1 :])
    return ILLEGAL


def _may_be_empty(state: tuple[_Items, ...]) -> bool:
    items = 0
    for takers, group in enumerate(reversed(state)):
        items += len(group)
        if items > takers:
            return False
    return True


def counter(initial: int = 0) -> Model:
    """`add` a number, or 1 if none is given; `read` answers the sum."""
    return Model("counter", initial, _count, fs=frozenset({"add", "read"}), pure=lambda op: op.f == "read")


def _count(total: float, op: Operation) -> State | Illegal:
    if op.f == "add":
        step = 1 if op.argument is None else op.argument
        if not isinstance(step, int | float):
            raise UnsuitableHistory(f"op {op.invoked}: {step!r} is added to a counter, expected a number")
        return total + step
    # Sums are compared as numbers: 0.5 and 0.5 make 1.0, and a counter may well show that as 1.
    same = isinstance(op.result, int | float) and (op.result == total or op.result - total == 0)
    return total if not op.known or same else ILLEGAL
