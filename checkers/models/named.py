"""The models by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ostrakon.checkers.models import collections, keys, locks, registers
from ostrakon.checkers.models.model import Model
from ostrakon.harness.history.suggestion import did_you_mean

_KEYED: Final = "keyed-"

NAMES: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        "register": registers.register,
        "cas-register": registers.cas_register,
        "multi-register": registers.multi_register,
        "mutex": locks.mutex,
        "fenced-lock": locks.fenced_lock,
        "kv": keys.kv,
        "list-append": keys.list_append,
        "set": collections.element_set,
        "fifo-queue": collections.fifo_queue,
        "unordered-queue": collections.unordered_queue,
        "stack": collections.stack,
        "counter": collections.counter,
    }
)
"""What each name stands for; `keyed-` before it makes it one object for each key."""


def named(name: str) -> Model:
    """The model of that name. Raises: KeyError, which lists the names there are."""
    plain = name.removeprefix(_KEYED)
    if plain not in NAMES:
        meant = did_you_mean(plain, NAMES)
        raise KeyError(
            f"there is no model {name!r}{'; ' if meant else ''}{meant} There are {', '.join(NAMES)}, "
            "each also keyed-NAME."
        )
    model = NAMES[plain]()
    return keys.keyed(model) if name.startswith(_KEYED) else model
