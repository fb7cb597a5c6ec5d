"""Commands, which clients submit, and batches of commands, which slots decide."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec


class CommandId(NamedTuple):
    """Identifies a command, however often it is sent and whichever leader proposes it."""

    client: str
    number: int


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that one client wants executed exactly once."""

    client: str
    """The client's name for this session; no two clients ever share one."""
    number: int
    """Counts the commands of the session, from 1. A command that is sent again keeps its number."""
    op: Any
    """The operation of the state machine, as plain data."""

    @property
    def id(self) -> CommandId:
        """The client and the number: equal for every copy of the command."""
        return CommandId(self.client, self.number)


Batch = tuple[Command, ...]
"""The value of a slot: commands to be executed in order."""

NOOP: Batch = ()
"""The value of a slot that must not stay open although there is nothing to propose in it (PMS 3)."""


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A command that waits to be proposed."""

    command: Command
    size: int
    """The approximate size of the command, in bytes."""
