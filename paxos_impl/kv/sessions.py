"""Sessions: each command is executed at most once, however often clients and leaders put it into the log.

A client first opens a session, by a command of its own in the log, and the state machine gives it an id that
no other session ever has (Ongaro, *Consensus: Bridging Theory and Practice*, 6.3). A command of a session
that is not in the table is not executed: the table may have forgotten that it was executed before. If such a
command opened a session instead, a delayed copy of the first command of a forgotten session would be executed
a second time.

The table is part of the replicated state: every replica has the same one after the same slot, so a new leader
knows what was executed before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.configuration import is_change
from ostrakon.paxos_impl.kv.machine import (
    ANSWER_BYTES_MAX,
    BadOperation,
    BadState,
    NotExecuted,
    PartwiseMachine,
    ReplayedMachine,
    StateMachine,
    TimedMachine,
)

SESSIONS_MAX = 10_000
"""Number of sessions in the table; beyond it, the session that was not used for longest is forgotten."""
SESSION_BYTES_MAX = 64 << 20
"""Total length of the results in the table, in bytes; beyond it, sessions are forgotten in the same way."""
OPENING = 0
"""The number of a command that opens a session; its client is any name, and its operation is ignored."""
_FORMAT = "sessions-2"
_PART_ITEMS, _PART_BYTES = 500, 1 << 16
"""How many sessions and how many bytes of results a part of a snapshot has, at most."""


class Executed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The command was executed, now or before, with this result."""

    result: Any
    again: bool = False
    """Whether it had been executed before, and did nothing now."""


class Looked(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The command only read the state; it is executed each time that it is in the log, and leaves no
    trace."""

    result: Any


class Opened(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The command opened a session with this id."""

    session: str


class Refusal(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The state machine refused the command, now or before, and the command changed nothing."""

    why: str


class Outdated(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not executed: the session has gone on to a later command, so no client waits for this one."""


class Forgotten(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not executed: the session is not in the table, so it is unknown whether the command was executed
    before."""


class Passed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not a command of a session: it changed the members, or let time pass."""


Execution = Executed | Looked | Opened | Refusal | Outdated | Forgotten | Passed


class SessionRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last command of a session, and what became of it."""

    number: int
    result: Any
    size: int = 0
    """Length of the result in bytes."""
    is_refused: bool = False
    """Whether the command was refused; then the result is the reason."""


class Sessions:
    """The table of sessions in front of a state machine; each command gets to the machine once.

    >>> from ostrakon.paxos_impl.kv.store import Store
    >>> sessions = Sessions(Store())
    >>> sessions.execute(Command("any name", 0, None))
    Opened(session='1')
    >>> sessions.execute(Command("1", 1, ["add", "x", 1])), sessions.execute(Command("1", 1, ["add", "x", 1]))
    (Executed(result=1, again=False), Executed(result=1, again=True))
    >>> sessions.execute(Command("2", 1, ["add", "x", 1]))
    Forgotten()
    """

    def __init__(
        self, machine: StateMachine, *, limit: int = SESSIONS_MAX, bytes_max: int = SESSION_BYTES_MAX
    ) -> None:
        self._machine, self._limit, self._bytes_max = machine, limit, bytes_max
        self._timed = machine if isinstance(machine, TimedMachine) else None
        self._sessions: dict[str, SessionRecord] = {}  # The one used last comes last.
        self._opened = self._bytes = 0

    def execute(self, command: Command) -> Execution:
        """Execute a command of the log. Never raises what the machine raises."""
        number, client = command.number, command.client
        if number == OPENING:
            return self._open()
        if is_change(command):
            return Passed()
        try:
            operation = self._machine.parse(command.op)
            if self._machine.is_query(operation):
                return Looked(self.look(operation))
        except (BadOperation, NotExecuted) as error:
            return Refusal(str(error))
        if self._timed is not None and self._timed.is_tick(operation):
            self._machine.carry_out(operation)
            return Passed()
        sessions = self._sessions
        session = self._known(command)
        if session is None:
            return Forgotten()
        again = number <= session.number
        if again:
            del sessions[client]
        else:
            session = self._carried_out(command, operation)
            self._bytes += session.size - sessions.pop(client, _NEW).size
        sessions[client] = session
        if len(sessions) > self._limit or self._bytes > self._bytes_max:
            self._forget()
        if number != session.number:
            return Outdated()
        return Refusal(session.result) if session.is_refused else Executed(session.result, again)

    def look(self, operation: Any) -> Any:
        """The result of a parsed operation that only reads.

        Raises: NotExecuted, also when the machine fails or the result is too long.
        """
        result = _guarded(self._machine, operation)
        _size_of_answer(result)
        return result

    def _known(self, command: Command) -> SessionRecord | None:
        """The session of a command; None if it was never opened, or is forgotten."""
        return self._sessions.get(command.client)

    def _open(self) -> Opened:
        self._opened += 1
        id = f"{self._opened}"
        self._sessions[id] = _NEW
        self._forget()
        return Opened(id)

    def _forget(self) -> None:
        """Forget the sessions that were not used for longest, while there are too many."""
        sessions = self._sessions
        while len(sessions) > self._limit or (self._bytes > self._bytes_max and len(sessions) > 1):
            self._bytes -= sessions.pop(next(iter(sessions))).size

    def _carried_out(self, command: Command, operation: Any) -> SessionRecord:
        try:
            result = _guarded(self._machine, operation)
        except NotExecuted as error:
            return SessionRecord(command.number, str(error), len(str(error)), is_refused=True)
        if result is None:  # The answer of most writes.
            return SessionRecord(command.number, None, _SHORT_BYTES)
        try:
            return SessionRecord(command.number, result, _size_of_answer(result))
        except NotExecuted as error:
            why = f"it was executed, but {error}"
            return SessionRecord(command.number, why, len(why), is_refused=True)

    def digest(self) -> str:
        """A hash of all state that replicas must have in common after the same slot."""
        state = _encode((self._opened, tuple(self._sessions.items()), self._machine.state()))
        return blake2b(state, digest_size=8).hexdigest()

    def snapshot(self) -> bytes:
        """Sessions and state; the same bytes at all replicas that have executed the same commands."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """The same in parts, each of which is quick to make, while further commands are executed.

        The iterator must be read to its end before the next snapshot, or be dropped.
        """
        sessions = tuple(self._sessions.items())
        machine = self._machine
        state = machine.parts() if isinstance(machine, PartwiseMachine) else iter([machine.state()])
        return _encoded(_FORMAT, self._opened, sessions, state)

    def begin_replay(self) -> None:
        """A long log is executed next, and then a snapshot is taken."""
        if isinstance(self._machine, ReplayedMachine):
            self._machine.begin_replay()

    def restore(self, snapshot: bytes) -> None:
        """Replace sessions and state by those of a snapshot.

        Raises: BadState.
        """
        parts = _split(snapshot)
        try:
            found, opened, count = msgspec.msgpack.decode(next(parts, b""), type=tuple[str, int, int])
            if found != _FORMAT:
                raise BadState(f"a snapshot of the format {found!r}; this version reads {_FORMAT!r}")
            sessions = dict[str, SessionRecord]()
            while len(sessions) < count:
                sessions.update(_sessions_part.decode(next(parts, b"")))
            rest = map(msgspec.msgpack.decode, parts)
            if isinstance(self._machine, PartwiseMachine):
                self._machine.restore_parts(rest)
            else:
                self._machine.restore(next(rest, None))
        except msgspec.DecodeError as error:
            raise BadState(f"not a snapshot of sessions: {error}") from None
        self._sessions, self._opened = sessions, opened
        self._bytes = sum(session.size for session in sessions.values())


_NEW = SessionRecord(0, None)
_SHORT_BYTES = 9
"""The length of a short answer, in bytes, at most."""
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_sessions_part = msgspec.msgpack.Decoder(tuple[tuple[str, SessionRecord], ...])
_LENGTH = struct.Struct(">I")


def _guarded(machine: StateMachine, operation: Any) -> Any:
    """The result of an operation. An exception of the machine is a refusal, and not the end of the replica.

    Raises: NotExecuted.
    """
    try:
        return machine.carry_out(operation)
    except NotExecuted:
        raise
    except (
        Exception
    ) as error:  # The machine may be anyone's; replicas raise alike because it is deterministic.
        raise NotExecuted(f"the state machine failed: {type(error).__name__}: {error}") from error


def _size_of_answer(result: Any) -> int:
    """The length of an answer in bytes. Raises: NotExecuted, if it is too long to be sent."""
    if result is None or isinstance(result, bool | int):
        return _SHORT_BYTES
    try:
        size = len(_encode(result))
    except Exception as error:
        raise NotExecuted(f"the answer is not plain data: {error}") from None
    if size > ANSWER_BYTES_MAX:
        raise NotExecuted(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    return size


def _encoded(
    format: str, opened: int, sessions: tuple[tuple[str, SessionRecord], ...], state: Iterator[Any]
) -> Iterator[bytes]:
    """The parts of a snapshot, each after its length."""

    def parts() -> Iterator[Any]:
        yield (format, opened, len(sessions))
        part: list[tuple[str, SessionRecord]] = []
        size = 0
        for item in sessions:
            part.append(item)
            size += item[1].size
            if len(part) == _PART_ITEMS or size >= _PART_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part
        yield from state

    for part in parts():
        data = _encode(part)
        yield _LENGTH.pack(len(data)) + data


def _split(snapshot: bytes) -> Iterator[memoryview]:
    """The parts of a snapshot. Raises: BadState."""
    view, at = memoryview(snapshot), 0
    while at < len(view):
        if at + _LENGTH.size > len(view):
            raise BadState("not a snapshot of sessions: it is cut short")
        (length,) = _LENGTH.unpack_from(view, at)
        at += _LENGTH.size
        if at + length > len(view):
            raise BadState("not a snapshot of sessions: it is cut short")
        yield view[at : at + length]
        at += length
