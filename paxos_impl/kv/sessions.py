"""Sessions: a command is executed once, however often clients and leaders send it into the log.

The table of sessions is part of the replicated state: every replica has the same one after the same slot,
and so a new leader knows as well as the old one what was executed before.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.configuration import is_change
from ostrakon.paxos_impl.kv.machine import BadState, StateMachine

SESSIONS_MAX = 10_000
"""How many sessions are remembered; the one unused for longest is forgotten for a new one."""


class Executed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """It was executed, now or when it came first, with this result."""

    result: Any
    again: bool = False
    """Whether it had been executed before, and so did nothing now."""


class Outdated(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not executed: the session has gone on to a later command, so nobody can be waiting for this one."""


class Forgotten(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not executed: no such session is remembered, so nobody can tell whether it was executed before."""


class Passed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not for the state machine: the log itself has seen to it."""


Execution = Executed | Outdated | Forgotten | Passed


class Session(msgspec.Struct, frozen=True, array_like=True, gc=False):
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
        sessions, client = self._sessions, command.client
        session = sessions.pop(client, None)
        if session is None:
            if is_change(command):
                return Passed()
            if command.number != 1:
                return Forgotten()
        again = session is not None and command.number <= session.number
        if session is None or not again:
            session = Session(command.number, self._machine.execute(command.op))
        sessions[client] = session
        if len(sessions) > self._limit:
            del sessions[next(iter(sessions))]
        return Executed(session.result, again) if command.number == session.number else Outdated()

    def digest(self) -> str:
        """A hash of all that replicas must have in common after the same slot: sessions and state."""
        return blake2b(self.snapshot(), digest_size=8).hexdigest()

    def snapshot(self) -> bytes:
        """Sessions and state; the same bytes at all replicas that have executed the same."""
        return _encode((tuple(self._sessions.items()), self._machine.state()))

    def restore(self, snapshot: bytes) -> None:
        """The inverse of `snapshot`, in place of what was there.

        Raises: BadState.
        """
        try:
            sessions, state = _decode(snapshot)
        except msgspec.DecodeError as error:
            raise BadState(f"not a snapshot of sessions: {error}") from None
        self._machine.restore(state)
        self._sessions = dict(sessions)


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(tuple[tuple[tuple[str, Session], ...], Any]).decode
