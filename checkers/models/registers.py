"""Registers: something is written, and the last thing written is read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ostrakon.checkers.models.model import ILLEGAL, Illegal, Model, Operation, State
from ostrakon.checkers.models.register_operations import register_of
from ostrakon.harness.history import UnsuitableHistory
from ostrakon.harness.history.value import freeze


def register(initial: Hashable = None) -> Model:
    """`read` answers the value last written by `write`."""
    return Model(
        "register",
        freeze(initial),
        _step,
        fs=frozenset({"read", "write"}),
        pure=_only_reads,
        overwrites=lambda op: op.f == "write",
        registers=register_of(read=("read",), write=("write",), initial=initial),
    )


def cas_register(initial: Hashable = None) -> Model:
    """A register that also knows `cas`, with `[old, new]` for a value: writes `new` if it holds `old`."""
    return Model(
        "cas-register",
        freeze(initial),
        _step,
        fs=frozenset({"read", "write", "cas"}),
        compares=frozenset({"cas"}),
        pure=_only_reads,
        overwrites=lambda op: op.f == "write",
        registers=register_of(read=("read",), write=("write",), cas=("cas",), initial=initial),
    )


def _step(state: Hashable, op: Operation) -> State | Illegal:
    match op.f:
        case "read":
            return state if not op.known or op.result == state else ILLEGAL
        case "write":
            return op.argument  # type: ignore[no-any-return]
        case _:
            return swapped(state, op, op.argument)


def swapped(state: Hashable, op: Operation, pair: Any) -> State | Illegal:
    """The state after a compare-and-swap of `[old, new]`."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise UnsuitableHistory(f"op {op.invoked}: the value of a cas is {pair!r}, expected [old, new]")
    old, new = pair
    if op.refused:
        return state if state != old else ILLEGAL
    return new if state == old else ILLEGAL


def _only_reads(op: Operation) -> bool:
    return op.f == "read" or op.refused


def multi_register(initial: Mapping[Hashable, Hashable] | None = None) -> Model:
    """`txn` reads and writes several registers at once: `[["read", key, value], ["write", key, value]]`.

    What a register holds at first is what `initial` says, or nil; where `initial` isn't given at all, the
    first to read a register that was not written yet tells.
    """
    return Model(
        "multi-register",
        None if initial is None else _sorted({freeze(key): freeze(value) for key, value in initial.items()}),
        _transact if initial is not None else _transact_from_anything,
        fs=frozenset({"txn"}),
        pure=lambda op: all(mop[0] in ("read", "r") for mop in _mops(op, op.argument)),
    )


def _transact(state: tuple[tuple[Hashable, Hashable], ...], op: Operation) -> State | Illegal:
    return _carry_out(dict(state), op, told=True)


def _transact_from_anything(
    state: tuple[tuple[Hashable, Hashable], ...] | None, op: Operation
) -> State | Illegal:
    return _carry_out(dict(state or ()), op, told=False)


def _carry_out(held: dict[Hashable, Hashable], op: Operation, *, told: bool) -> State | Illegal:
    for mop in _mops(op, op.result if op.known and op.result is not None else op.argument):
        match mop:
            case ("read" | "r", key, value):
                if op.known and (held.get(key) if told else held.setdefault(key, value)) != value:
                    return ILLEGAL
            case ("write" | "w", key, value):
                held[key] = value
            case _:
                raise UnsuitableHistory(
                    f"found {mop!r} in a txn, expected [read, key, value] or [write, ...]"
                )
    return _sorted(held)


def _sorted(held: Mapping[Hashable, Hashable]) -> tuple[tuple[Hashable, Hashable], ...]:
    return tuple(sorted(held.items(), key=repr))


def _mops(op: Operation, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or not all(isinstance(mop, tuple) and len(mop) == 3 for mop in value):
        raise UnsuitableHistory(
            f"op {op.invoked}: the value of a txn is {value!r}, expected [[read or write, key, value], ...]"
        )
    return value
