"""Values as checkers compare and show them: any JSON, falsy ones and lists among them."""

from __future__ import annotations

from typing import Any

import msgspec

Key = str | int | bytes

_LONGEST = 60
_encode = msgspec.json.Encoder(order="deterministic").encode


def canonical(value: Any) -> Key:
    """What stands for a value when values are compared: equal exactly when their JSON is equal.

    Python holds that `True == 1 == 1.0` and cannot hash a list; a decree may be any of these.
    """
    if type(value) is str or type(value) is int:
        return value
    return _encode(value)


def value_text(value: Any) -> str:
    """The value as JSON, cut where it gets long."""
    text = _encode(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
