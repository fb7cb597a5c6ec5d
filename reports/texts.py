"""How values, times and ballots are written for people: bounded, and with nothing invisible in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from ostrakon.harness.history import Op

LIMIT = 120
"""Characters of a value that are shown unless told otherwise."""

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


def value(what: Any, limit: int = LIMIT) -> str:
    """Any value as JSON, with a long one cut and its length told."""
    return cut(_json(what), limit)


def sentence(what: Any, limit: int = 600) -> str:
    """Text that was meant for people, as it is; anything else as JSON."""
    return cut(what if isinstance(what, str) else _json(what), limit)


def cut(text: str, limit: int) -> str:
    """At most about `limit` characters of a text, without what would not be seen or would reverse it."""
    if len(text) <= limit:
        return visible(text)
    return f"{visible(text[:limit])}… ({len(text):,} characters)"


def short(text: str, limit: int) -> str:
    """At most `limit` characters, for where there is no room to say more."""
    return visible(text if len(text) <= limit else text[: max(1, limit - 1)] + "…")


def visible(text: str) -> str:
    """The text with control characters, lone surrogates and direction overrides spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_plain(char) else f"\\u{ord(char):04x}" for char in text)


def ballot(numbers: tuple[int, int] | None) -> str:
    """A ballot as round, dot, node: 3.1."""
    return "" if numbers is None else f"{numbers[0]}.{numbers[1]}"


def instant(time_ns: int) -> str:
    """A time since the trial's start: seconds, to the microsecond."""
    return f"{time_ns / 1e9:.6f}"


def has_times(ops: Sequence[Op]) -> bool:
    """Whether ops have times; where a file has none, the position of each op stands for its time."""
    return any(op.time != op.index for op in ops)


def duration(length_ns: float) -> str:
    """A length of time with three digits and the unit that suits it."""
    for size, unit in _UNITS:
        if abs(length_ns) >= size:
            return f"{_three_digits(length_ns / size)} {unit}"
    return "0 s"


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _json(what: Any) -> str:
    try:
        return msgspec.json.encode(what, enc_hook=repr).decode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError, OverflowError):
        return repr(what)


def _is_plain(char: str) -> bool:
    category = unicodedata.category(char)
    # Zero-width joiners hold emoji together and hide nothing.
    return category not in {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"} or char in "\n\t\u200d"
