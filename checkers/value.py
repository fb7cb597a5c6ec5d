"""Values as checkers look them up and show them: any JSON, falsy ones and lists among them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import msgspec

from ostrakon.harness.history.value import freeze, json_text

Key = Hashable

_LONGEST: Final = 60
_NULL: Final = b"null"
_encode = msgspec.json.Encoder(order="deterministic").encode


def canonical(value: Any) -> Key:
    """The key of a value in tables: equal for two values exactly when their JSON is equal, and never None.

    Python holds that `True == 1 == 1.0` and cannot hash a list; a decree may be any of these.
    """
    if type(value) is str or type(value) is int:
        return value
    try:
        encoded = _encode(
            value
        )  # The quickest key there is, and the same for a struct and for what it becomes.
    except (TypeError, OverflowError):
        return freeze(value)
    # `nan` and the infinities are encoded as null, so what has a null in it needs a closer look.
    return encoded if value is None or _NULL not in encoded else freeze(value)


def value_text(value: Any) -> str:
    """The value as JSON, cut where it gets long."""
    text = json_text(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
