"""A session with one log: finds its leader, tries again, and says how it ended.

There are three outcomes and no fourth: done, definitely not done (`NotDone`), and nobody knows (`Unsure`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import trio

from ostrakon.paxos_impl.connection import Connection, NoAnswer
from ostrakon.paxos_impl.core.multi import Member, ReadHow
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.replica.wire import (
    Answer,
    AskStatus,
    Change,
    Done,
    Elsewhere,
    Execute,
    Groups,
    InGroup,
    Read,
    Refused,
    Status,
    read_response,
)
from ostrakon.paxos_impl.transport import Transport

_PAUSE_S_FIRST, _PAUSE_S_MAX = 0.02, 0.08
"""How long to wait when nobody knows of a leader, at first and after a few tries: those who elect one should
not be kept busy by those who wait for the outcome."""
_PATIENCE_MAX = 4
"""What patience grows to where no answer comes, in attempts as they are at first."""

_Asked = Execute | Read | Change | AskStatus


class NotDone(Exception):
    """What was asked for was not done and never will be."""


class Unsure(Exception):
    """What was asked for may have been done, or may be done yet, or never."""


class OtherGroups(Exception):
    """Nothing was done: the cluster has not as many groups as was thought, but `count`."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class Session:
    """One operation is under way at a time. Any of its methods may raise OtherGroups."""

    def __init__(
        self,
        addresses: Sequence[Address],
        name: str,
        *,
        group: int | None,
        attempt_s: float,
        transport: Transport,
    ) -> None:
        """`group` is None where there is only one.

        `attempt_s` is how long a replica may take to answer, at first: each that has not done so gets the
        next one twice as long, for a cluster that is slower than was thought would else never be heard out.
        """
        self._group, self._attempt_s, self._transport = group, attempt_s, transport
        self._patience_s = attempt_s
        # Who comes next is found by looking for the address that was asked last: none may be there twice.
        self._addresses, self._name = tuple(dict.fromkeys(addresses)), name
        self._connection = self._connect_to(self._addresses[0])
        self._requests = self._number = self._sessions = 0
        self._pause_s = _PAUSE_S_FIRST
        self._is_sent_on = False
        """Whether who is asked now was named by another, and there was no pause since."""

    async def drop(self) -> None:
        """Close the connection, at once."""
        await self._connection.drop()

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """See `ReplicaClient`."""
        self._number += 1
        session, number = f"{self._name}.{self._sessions}", self._number
        try:
            return await self._insist(lambda request: Execute(request, session, number, op), timeout_s)
        except (NotDone, Unsure):
            # A session is not known before its first command has come through, so do not rely on it.
            self._sessions, self._number = self._sessions + 1, 0
            raise

    async def read(self, op: Any, *, how: ReadHow, timeout_s: float) -> Done:
        """See `ReplicaClient`."""
        try:
            return await self._insist(lambda request: Read(request, op, how), timeout_s)
        except Unsure as error:
            raise NotDone(str(error)) from error

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        """See `ReplicaClient`."""
        return await self._insist(lambda request: Change(request, tuple(members)), timeout_s)

    async def members(self, slot: int, *, timeout_s: float) -> tuple[Member, ...]:
        """The members, as a replica knows them that has executed this slot.

        Raises: NotDone.
        """
        self._pause_s = _PAUSE_S_FIRST
        with trio.move_on_after(timeout_s):
            while True:
                try:
                    await self._connection.open()
                    told = await self._connection.ask(self._addressed(AskStatus(self._next())))
                except NoAnswer:
                    await self._turn_away()
                    continue
                if isinstance(told, Status) and told.configuration is not None and told.executed >= slot:
                    return told.configuration.members
                await self._pause()
        raise NotDone("nobody tells who the members are")

    async def _insist(self, request: Callable[[int], _Asked], timeout_s: float) -> Done:
        """Ask one replica after the other, the leader where it is known, until one has it done."""
        maybe, why = False, "nobody answered in time"
        self._pause_s = _PAUSE_S_FIRST
        with trio.move_on_after(timeout_s):
            while True:
                asked = self._addressed(request(self._next()))
                before = maybe
                try:
                    with self._patiently():
                        await self._connection.open()
                    maybe = True
                    with self._patiently():
                        begun_s = trio.current_time()
                        answer = await self._connection.ask(asked)
                except NoAnswer as error:
                    why = str(error)
                    await self._turn_away()
                    continue
                match answer:
                    case Done():
                        self._is_sent_on = False
                        if trio.current_time() - begun_s < self._attempt_s:
                            self._patience_s = max(self._patience_s / 2, self._attempt_s)
                        return answer
                    case Elsewhere(leader, perhaps):
                        maybe = before or perhaps
                        why = "there was no leader" if leader is None else f"{leader} was said to lead"
                        await self._turn_to(leader)
                    case Groups(count):
                        raise OtherGroups(count)
                    case Refused(why, is_final):
                        maybe = before
                        if is_final:
                            break
                        await self._pause()
        raise (Unsure if maybe else NotDone)(why)

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Raises: NoAnswer, when it takes too long; the next time it may take twice as long."""
        try:
            with trio.fail_after(self._patience_s):
                yield
        except trio.TooSlowError:
            why = f"{self._connection.address} did not answer within {self._patience_s:g} s"
            self._patience_s = min(2 * self._patience_s, _PATIENCE_MAX * self._attempt_s)
            raise NoAnswer(why) from None

    async def _turn_to(self, leader: Address | None) -> None:
        """Ask the leader from now on, or whoever comes next if none is known."""
        if leader is None or leader == self._connection.address:
            await self._turn_away()
            return
        if self._is_sent_on:  # They do not agree about it, and need time to.
            await self._pause()
        self._is_sent_on = True
        await self._connection.drop()
        self._connection = self._connect_to(leader)

    async def _turn_away(self) -> None:
        """Ask, after a pause, who comes next in the list."""
        now = self._connection.address
        at = self._addresses.index(now) if now in self._addresses else -1
        await self._connection.drop()
        self._connection = self._connect_to(self._addresses[(at + 1) % len(self._addresses)])
        await self._pause()

    async def _pause(self) -> None:
        """Wait; the next time longer, until something else is asked for."""
        self._is_sent_on = False
        await trio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _PAUSE_S_MAX)

    def _connect_to(self, address: Address) -> Connection[Answer]:
        return Connection(address, read_response, self._transport)

    def _next(self) -> int:
        self._requests += 1
        return self._requests

    def _addressed(self, asked: _Asked) -> _Asked | InGroup:
        return asked if self._group is None else InGroup(self._group, asked)
