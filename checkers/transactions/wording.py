"""Values and transactions as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ostrakon.harness.history.value import thaw

_LONGEST = 60


def told(value: Any) -> str:
    """A value, or one in its canonical form, as Python writes it; a canonical one as JSON.

    >>> told("x"), told([1, b"true"])
    ("'x'", '[1, true]')
    """
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(told, value)) + "]"
    return repr(value)


def original(value: Any) -> Any:
    """The value that a canonical form stands for, as JSON has it."""
    return msgspec.json.decode(value) if isinstance(value, bytes) else thaw(value)


def word(value: Any) -> str:
    """A value for people, shortened in the middle."""
    text = value if isinstance(value, str) else told(value)
    return text if len(text) <= _LONGEST else f"{text[:28]}...{text[-28:]}"


def shown(micro_ops: Sequence[Sequence[Any]]) -> str:
    """Micro-ops for people: "append x 1, r y [1, 2]"."""
    return ", ".join(
        " ".join("null" if part is None else word(part) for part in micro_op) for micro_op in micro_ops
    )
