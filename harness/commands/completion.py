"""What a shell may complete: the names of workloads and of kinds of fault."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


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
