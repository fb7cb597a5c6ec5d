"""Succession: which configurations there are once a slot is executed. Those who run and who recover agree."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.configuration import Configuration, changed_to, since
from ostrakon.paxos_impl.core.multi.rules import LogRules


class Succession(NamedTuple):
    """What the commands of a slot do to the configurations."""

    configurations: tuple[Configuration, ...]
    """Those for the slots after it."""
    is_made: tuple[bool | None, ...]
    """By command, whether the change that it wants is made; None if it wants none."""


def succession(rules: LogRules, before: tuple[Configuration, ...], slot: int, batch: Batch) -> Succession:
    """Change the configurations as the commands of a slot say, and leave behind those that are over."""
    configurations = before if len(before) == 1 else since(before, slot + 1)
    is_made: list[bool | None] = []
    for command in batch:
        if (wanted := changed_to(command)) is None:
            is_made.append(None)
            continue
        is_made.append(rules.takes_effect(configurations[-1], wanted))
        if is_made[-1]:
            changed = replace(wanted, from_slot=rules.in_force_from(slot))
            configurations = since((*configurations, changed), slot + 1)
    return Succession(configurations, tuple(is_made))
