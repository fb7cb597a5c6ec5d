"""Commands, which clients have executed, and batches of them, which are what slots decide."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec


class CommandId(NamedTuple):
    """What tells a command from all others, however often it is sent and whoever proposes it."""

    client: str
    number: int


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one client wants executed once."""

    client: str
    """The client's name for this session; no two clients ever share one."""
    number: int
    """Counts the commands of the session, from 1. A command that is sent again keeps its number."""
    op: Any
    """What is asked of the state machine: plain data."""

    @property
    def id(self) -> CommandId:
        """What it is recognised by."""
        return CommandId(self.client, self.number)


Batch = tuple[Command, ...]
"""What a slot decides: commands to be executed in order."""

NOOP: Batch = ()
"""Decided where a slot must not stay open and nobody has anything to propose in it."""


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A command that has not been proposed yet."""

    command: Command
    size: int
    """About how many bytes it has."""
