"""One object for each key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ostrakon.checkers.models.append_operations import appends_of
from ostrakon.checkers.models.model import ILLEGAL, Illegal, Model, Operation, State
from ostrakon.checkers.models.register_operations import RegisterColumns, register_of
from ostrakon.checkers.models.registers import swapped
from ostrakon.harness.history import UnsuitableHistory
from ostrakon.harness.history.columns import Columns

_GET = ("get", "read", "r")
_PUT = ("put", "write", "w")


def keyed(model: Model) -> Model:
    """One such object for each key: a value is `[key, value]`, of which the object sees the latter."""
    return replace(model, name=f"keyed-{model.name}", keyed=True)


def kv() -> Model:
    """A store of strings or other values: `get`, `put`, `append`, and `cas` with `[key, [old, new]]`.

    `read` and `write` are other names of `get` and `put`. A key that was never put holds nil or the
    empty string, which count as the same.
    """
    return Model(
        "kv",
        None,
        _store,
        fs=frozenset({*_GET, *_PUT, "append", "cas"}),
        compares=frozenset({"cas"}),
        pure=_only_gets,
        overwrites=lambda op: op.f in _PUT,
        keyed=True,
        registers=_as_register,
        appends=appends_of(read=_GET, write=_PUT, append=("append",), empty=""),
    )


def list_append() -> Model:
    """A list for each key: `append` adds an element at its end and `read` answers all of it."""
    return Model(
        "list-append",
        (),
        _extend,
        fs=frozenset({*_GET, "append"}),
        pure=_only_gets,
        keyed=True,
        appends=appends_of(read=_GET, write=(), append=("append",), empty=()),
    )


def _only_gets(op: Operation) -> bool:
    return op.f in _GET or op.refused


_AS_REGISTER = register_of(read=_GET, write=_PUT, cas=("cas",), nil="")


def _as_register(columns: Columns) -> RegisterColumns | None:
    """Without appends it is a register, on which nil and the empty string are the same."""
    return None if columns.is_f("append").any() else _AS_REGISTER(columns)


def _nil_for_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value else value


def _store(state: Any, op: Operation) -> State | Illegal:
    if op.f in _GET:
        return state if not op.known or _nil_for_empty(op.result) == state else ILLEGAL
    if op.f in _PUT:
        return _nil_for_empty(op.argument)  # type: ignore[no-any-return]
    if op.f == "cas":
        return swapped(state, op, op.argument and tuple(map(_nil_for_empty, op.argument)))
    if not isinstance(op.argument, str) or not isinstance(state, str | None):
        raise UnsuitableHistory(
            f"op {op.invoked}: {op.argument!r} is appended to {state!r}, expected strings"
        )
    return (state or "") + op.argument or None


def _extend(state: tuple[object, ...], op: Operation) -> State | Illegal:
    if op.f == "append":
        return (*state, op.argument)
    return state if not op.known or (op.result or ()) == state else ILLEGAL
