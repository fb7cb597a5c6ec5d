"""Options that only a workload knows, as they are given to commands: `--option NAME=VALUE`."""

from __future__ import annotations

from typing import Any

from ostrakon.harness.status import UserError


def parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    """The values by name; a value is JSON, or else text. Raises: UserError."""
    import msgspec

    parsed = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals:
            raise UserError(f"--option {option!r} has no value: write NAME=VALUE")
        try:
            parsed[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            parsed[name] = text
    return parsed
