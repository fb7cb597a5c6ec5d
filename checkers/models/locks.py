"""Locks: held by one at a time."""

from __future__ import annotations

from ostrakon.checkers.models.model import ILLEGAL, Illegal, Model, Operation, State
from ostrakon.checkers.models.register_operations import SWAP, RegisterColumns
from ostrakon.harness.history import UnsuitableHistory
from ostrakon.harness.history.columns import INFO, Columns

_FREE, _HELD = 0, 1
_FENCE = tuple[int | None, int]


def mutex() -> Model:
    """`acquire` needs it free and `release` needs it held, by whomever."""
    return Model(
        "mutex",
        False,
        _hold,
        fs=frozenset({"acquire", "release"}),
        overwrites=lambda op: op.f == "acquire",
        registers=_as_register,
    )


def _hold(held: bool, op: Operation) -> State | Illegal:
    acquires = op.f == "acquire"
    return acquires if held != acquires else ILLEGAL


def _as_register(columns: Columns) -> RegisterColumns:
    """To acquire is to swap free for held, and to release is to swap it back."""
    acquires = columns.is_f("acquire").astype(int)
    return RegisterColumns(
        acquires * 0 + SWAP,
        1 - acquires,
        acquires,
        columns.invoked,
        columns.returned,
        columns.outcome != INFO,
    )


def fenced_lock() -> Model:
    """A lock that knows its holder and answers each `acquire` with a token higher than any before.

    `release` is for the process that holds it. An acquisition of which nothing was heard may have got
    any token; that it got the lowest there was asks least of those that follow.
    """
    return Model("fenced-lock", (None, -1), _fence, fs=frozenset({"acquire", "release"}), anonymous=False)


def _fence(state: _FENCE, op: Operation) -> State | Illegal:
    holder, last = state
    if op.f == "release":
        return (None, last) if holder == op.process else ILLEGAL
    if holder is not None:
        return ILLEGAL
    token = op.result if op.known and op.result is not None else last + 1
    if not isinstance(token, int):
        raise UnsuitableHistory(
            f"op {op.invoked}: acquire was answered {token!r}, expected a token, a number"
        )
    return (op.process, token) if token > last else ILLEGAL
