"""Values of ops, in a form that Python compares as JSON does.

Two values are the same exactly when their JSON is the same. Python holds that `True == 1 == 1.0`, that `nan`
differs from itself, and that a list cannot be looked up in a table; a history may contain any of these. So
values are brought into one form where they enter a checker or a model; from then on `==` compares them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import chain
from math import copysign, isfinite, isnan
from typing import Any, Final

import msgspec

_EXACT: Final = frozenset({str, int, bytes, type(None)})
"""Types whose values Python already compares as JSON does, as long as none of the others is among them."""


class JsonBool:
    """`true` or `false`: equal to Python's `True` or `False`, and, unlike these, not to 1 or 0.

    There are two of them, `TRUE` and `FALSE`. In conditions they count as what they say.
    """

    __slots__ = ("_holds",)

    def __init__(self, holds: bool) -> None:
        self._holds = holds

    def __bool__(self) -> bool:
        return self._holds

    def __eq__(self, other: object) -> bool:
        return self is other or other is self._holds

    def __hash__(self) -> int:
        return hash(self._holds)

    def __repr__(self) -> str:
        return "true" if self._holds else "false"

    def __reduce__(self) -> str:
        return "TRUE" if self._holds else "FALSE"


TRUE: Final = JsonBool(True)
FALSE: Final = JsonBool(False)


class JsonNumber(float):
    """A number with a decimal point: equal to the same `float` and to no `int`; `nan` is equal to itself.

    Arithmetic and comparison by size are those of `float`.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, float):
            return False
        if float.__eq__(self, other):
            return copysign(1.0, self) == copysign(1.0, other)
        return isnan(self) and isnan(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        # Equal numbers need equal hashes, and the hash of `nan` depends on where it lies in memory.
        return float.__hash__(self) if isfinite(self) else hash(repr(self))


class JsonObject(Mapping[Hashable, Hashable]):
    """An object, or map, that cannot be changed and so can be a state, a value or a key."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[Hashable, Hashable]]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Hashable) -> Hashable:
        return self._items[key]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonObject) and self._items == other._items

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def freeze(value: Any) -> Hashable:
    """The form of a value that checkers and models see: hashable, and equal exactly where JSON is equal.

    Lists become tuples, objects `JsonObject`, sets `frozenset`, booleans `JsonBool` and floats `JsonNumber`.
    Keys of objects that are numbers become strings, as they are in JSON. Everything else stays as it is.

    >>> freeze([1, True, {"a": 1.0}])
    (1, true, {'a': 1.0})
    >>> freeze(True) == freeze(1), freeze(1) == freeze(1.0), freeze(True) == True
    (False, False, True)
    """
    kind = type(value)
    if kind in _EXACT or kind is JsonBool or kind is JsonNumber or kind is JsonObject:
        return value  # type: ignore[no-any-return]
    if kind is list or kind is tuple:
        return tuple(value) if _EXACT.issuperset(map(type, value)) else tuple(map(freeze, value))
    if kind is bool:
        return TRUE if value else FALSE
    if isinstance(value, float):
        return JsonNumber(value)
    if isinstance(value, Mapping):
        return JsonObject((_frozen_key(key), freeze(each)) for key, each in value.items())
    if isinstance(value, set | frozenset):
        return frozenset(map(freeze, value))
    if isinstance(value, list | tuple):
        return tuple(map(freeze, value))
    return _frozen_object(value)


def _frozen_object(value: Any) -> Hashable:
    """What a struct or a dataclass is written as; anything else must be hashable itself."""
    try:
        plain = msgspec.to_builtins(value)
    except TypeError:
        return value  # type: ignore[no-any-return]
    return value if type(plain) is type(value) else freeze(plain)


def _frozen_key(key: Any) -> Hashable:
    return str(key) if type(key) is int or isinstance(key, float) else freeze(key)


def freeze_all(values: list[Any]) -> list[Hashable]:
    """The same for many values. Those of a history are mostly strings and integers, or lists of these."""
    kinds = set(map(type, values))
    if kinds <= _EXACT:
        return values
    if kinds <= _EXACT | {list} and _EXACT.issuperset(
        map(type, chain.from_iterable(value for value in values if type(value) is list))
    ):
        return [tuple(value) if type(value) is list else value for value in values]
    return list(map(freeze, values))


def thaw(value: Any) -> Any:
    """A frozen value as plain data that JSON can carry: the keys of objects become strings.

    >>> thaw(freeze({"a": [True, None]}))
    {'a': [True, None]}
    """
    match value:
        case JsonBool():
            return bool(value)
        case float():
            return float(value) if isfinite(value) else f"##{_NOT_FINITE[repr(float(value))]}"
        case list() | tuple():
            return [thaw(each) for each in value]
        case Mapping():
            return {_text_of_key(key): thaw(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted(map(thaw, value), key=repr)
        case _:
            return value


_NOT_FINITE: Final = {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}
"""EDN's names of numbers that JSON has none for."""


def _text_of_key(key: Any) -> str:
    return key if isinstance(key, str) else _encode(thaw(key)).decode()


_encode = msgspec.json.Encoder(order="deterministic").encode


def json_text(value: Any) -> str:
    """The value as JSON, objects in the order of their keys."""
    return str(value) if type(value) is int else _encode(thaw(value)).decode()
