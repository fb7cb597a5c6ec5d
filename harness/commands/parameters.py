"""Parameters of commands: the names that complete them, and `--option NAME=VALUE` for what only a workload
knows."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from ostrakon.harness.status import UserError


def complete_workload(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Workloads that are on offer; several may stand behind each other with commas between them."""
    from ostrakon.harness.catalogue import workload_names

    return _complete(begun, workload_names())


def complete_nemesis(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Kinds of fault and groups of them, with commas between them."""
    from ostrakon.harness.faults import GROUPS, kind_names

    return _complete(begun, sorted({*kind_names(), *GROUPS, "none"}))


def _complete(begun: str, names: list[str]) -> list[CompletionItem]:
    before, comma, last = begun.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(last)]


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
