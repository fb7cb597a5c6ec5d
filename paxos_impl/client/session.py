"""A session with one log: finds the leader, tries again, and tells the outcome.

There are three outcomes: done, definitely not done (`NotDone`), and unknown (`Unsure`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio

from ostrakon.paxos_impl.client.connection import Channels, NoAnswer, Unsendable
from ostrakon.paxos_impl.core.multi import Member, ReadHow
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import (
    Answer,
    AskStatus,
    Change,
    Done,
    Elsewhere,
    Execute,
    Groups,
    InGroup,
    OpenSession,
    Read,
    Refused,
    Status,
)

_PAUSE_S_FIRST, _PAUSE_S_MAX = 0.02, 0.08
"""Pause when no replica knows a leader, in seconds, at first and after a few tries: waiting clients should
not load replicas that are electing a leader."""
_PATIENCE_MAX = 4
"""Maximum time for an answer, in multiples of `attempt_s`."""

_Asked = Execute | OpenSession | Read | Change | AskStatus


class NotDone(Exception):
    """The operation was not executed and never will be."""


class Unsure(Exception):
    """The operation may have been executed, or may be executed later, or never."""


class OtherGroups(Exception):
    """Nothing was done: the cluster has `count` groups, another number than expected."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class SessionRequests(ABC):
    """The requests of one session, whatever carries them: a subclass insists until a replica has answered.

    A session is opened through the log before its first command, and a command's number tells replicas
    whether they have executed it (Ongaro, Consensus: Bridging Theory and Practice, 6.3).
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = self._opened = 0
        self._session: str | None = None
        """Its id, once it is open."""

    @abstractmethod
    async def _insist(self, request: Callable[[int], Any], timeout_s: float) -> Done:
        """Send a request, made from its number, until a replica has executed it. Raises: NotDone; Unsure."""

    def renew(self) -> None:
        """Open another session for the next command."""
        self._session = None

    async def read(self, op: Any, *, how: ReadHow, timeout_s: float) -> Done:
        """The result of an operation that only reads. Raises: NotDone."""
        try:
            return await self._insist(lambda request: Read(request, op, how), timeout_s)
        except Unsure as error:
            raise NotDone(str(error)) from error

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        """Change the members. Raises: NotDone; Unsure."""
        return await self._insist(lambda request: Change(request, tuple(members)), timeout_s)

    async def _open(self, timeout_s: float) -> str:
        """The id of the session, which is opened if it is not open yet. Raises: NotDone."""
        if self._session is None:
            self._opened += 1
            name = f"{self._name}.{self._opened}"
            try:
                done = await self._insist(lambda request: OpenSession(request, name), timeout_s)
            except Unsure as error:  # A session that no client knows of does no harm.
                raise NotDone(str(error)) from error
            self._session, self._number = str(done.result), 0
        return self._session


class Session(SessionRequests):
    """A session, for one operation at a time. Any of its methods may raise OtherGroups."""

    def __init__(
        self,
        addresses: Sequence[Address],
        name: str,
        *,
        group: int | None,
        attempt_s: float,
        channels: Channels[Answer],
    ) -> None:
        """`group` is None if there is only one.

        `attempt_s` is the time that a replica has to answer, at first. After each replica that does not
        answer, the next one has twice as long; otherwise a client would leave every replica of a slow cluster
        too early.
        """
        super().__init__(name)
        self._group, self._attempt_s, self._channels = group, attempt_s, channels
        self._patience_s = attempt_s
        # `_turn_away` looks for the last address in this list, so no address may be in it twice.
        self._addresses = tuple(dict.fromkeys(addresses))
        self._connection = channels.to(self._addresses[0])
        self._pause_s = _PAUSE_S_FIRST
        self._is_sent_on = False
        """Whether another replica named the one that is asked now, without a pause since."""

    async def drop(self) -> None:
        """Close the connection at once."""
        await self._connection.drop()

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """Execute an operation through the log. Raises: NotDone; Unsure."""
        deadline = anyio.current_time() + timeout_s
        session = await self._open(timeout_s)
        self._number += 1
        number = self._number
        return await self._insist(
            lambda request: Execute(request, session, number, op), deadline - anyio.current_time()
        )

    async def members(self, slot: int, *, timeout_s: float) -> tuple[Member, ...]:
        """The members, from a replica that has executed this slot.

        Raises: NotDone.
        """
        self._pause_s = _PAUSE_S_FIRST
        with anyio.move_on_after(timeout_s):
            while True:
                try:
                    await self._connection.open()
                    status = await self._connection.ask(
                        self._addressed(AskStatus(self._channels.next_number()))
                    )
                except NoAnswer:
                    await self._turn_away()
                    continue
                if (
                    isinstance(status, Status)
                    and status.configuration is not None
                    and status.executed >= slot
                ):
                    return status.configuration.members
                await self._pause()
        raise NotDone("nobody tells who the members are")

    async def _insist(self, request: Callable[[int], _Asked], timeout_s: float) -> Done:
        """Ask the leader if it is known, or one replica after the other, until one has executed the
        request."""
        maybe, why = False, "nobody answered in time"
        self._pause_s = _PAUSE_S_FIRST
        with anyio.move_on_after(timeout_s):
            while True:
                asked = self._addressed(request(self._channels.next_number()))
                before = maybe
                try:
                    with self._patiently():
                        await self._connection.open()
                    begun_s = anyio.current_time()
                    try:
                        with self._patiently():
                            answer = await self._connection.ask(asked)
                    finally:
                        maybe = maybe or self._connection.is_sent
                except NoAnswer as error:
                    why = str(error)
                    await self._turn_away()
                    continue
                except Unsendable as error:
                    why = str(error)
                    break
                match answer:
                    case Done():
                        self._is_sent_on = False
                        if anyio.current_time() - begun_s < self._attempt_s:
                            self._patience_s = max(self._patience_s / 2, self._attempt_s)
                        return answer
                    case Elsewhere(leader, perhaps):
                        maybe = before or perhaps
                        why = "there was no leader" if leader is None else f"{leader} was said to lead"
                        await self._turn_to(leader)
                    case Groups(count):
                        raise OtherGroups(count)
                    case Refused(why, is_final, is_unsure):
                        maybe = before or is_unsure
                        if is_unsure:
                            self._session = None  # It is forgotten: the next command opens another one.
                        if is_final:
                            if before and not is_unsure:
                                why = (
                                    f"the last attempt was refused ({why}), but an earlier one got no answer"
                                )
                            break
                        await self._pause()
        raise (Unsure if maybe else NotDone)(why)

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Raises: NoAnswer, when the body takes too long; the next time it may take twice as long."""
        try:
            with anyio.fail_after(self._patience_s):
                yield
        except TimeoutError:
            why = f"{self._connection.address} did not answer within {self._patience_s:g} s"
            self._patience_s = min(2 * self._patience_s, _PATIENCE_MAX * self._attempt_s)
            raise NoAnswer(why) from None

    async def _turn_to(self, leader: Address | None) -> None:
        """Ask this leader from now on; if None, the next replica in the list."""
        if leader is None or leader == self._connection.address:
            await self._turn_away()
            return
        if self._is_sent_on:  # The replicas disagree about the leader, and need time to elect one.
            await self._pause()
        self._is_sent_on = True
        await self._connection.drop()
        self._connection = self._channels.to(leader)

    async def _turn_away(self) -> None:
        """After a pause, ask the next replica in the list."""
        now = self._connection.address
        at = self._addresses.index(now) if now in self._addresses else -1
        await self._connection.drop()
        self._connection = self._channels.to(self._addresses[(at + 1) % len(self._addresses)])
        await self._pause()

    async def _pause(self) -> None:
        """Wait; longer each time within one request."""
        self._is_sent_on = False
        await anyio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _PAUSE_S_MAX)

    def _addressed(self, asked: _Asked) -> _Asked | InGroup:
        return asked if self._group is None else InGroup(self._group, asked)
