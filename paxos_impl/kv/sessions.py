"""Sessions: a command is executed once, however often clients and leaders send it into the log.

The table of sessions is part of the replicated state: every replica has the same one after the same slot,
and so a new leader knows as well as the old one what was executed before.
"""

from __future__ import annotations

from typing import Any

import msgspec

from paxos_impl.core.log.command import Command
from paxos_impl.kv.machine import StateMachine

SESSIONS_MAX = 10_000
"""How many sessions are remembered; the one unused for longest is forgotten for a new one."""


class Executed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """It was executed, now or when it came first, with this result."""

    result: Any


class Outdated(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not executed: the session has gone on to a later command, so nobody can be waiting for this one."""


class Forgotten(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not executed: no such session is remembered, so nobody can tell whether it was executed before."""


Execution = Executed | Outdated | Forgotten


class Session(msgspec.Struct, frozen=True, gc=False):
    """The last command of a client, and its result."""

    number: int
    result: Any


class Sessions:
    """Stands before a state machine and lets each command through once."""

    def __init__(self, machine: StateMachine, *, limit: int = SESSIONS_MAX) -> None:
        self._machine, self._limit = machine, limit
        self._sessions: dict[str, Session] = {}  # The one used last comes last.

    def execute(self, command: Command) -> Execution:
        """The outcome of a command that the log has come to."""
        session = self._sessions.pop(command.client, None)
        if session is None and command.number != 1:
            return Forgotten()
        if session is None or command.number > session.number:
            session = Session(command.number, self._machine.execute(command.op))
        self._sessions[command.client] = session
        if len(self._sessions) > self._limit:
            del self._sessions[next(iter(self._sessions))]
        return Executed(session.result) if command.number == session.number else Outdated()
