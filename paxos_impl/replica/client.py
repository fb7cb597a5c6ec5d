"""A client of a replicated state machine: finds the leader, tries again, and says how it ended.

There are three outcomes and no fourth: done, definitely not done (`NotDone`), and nobody knows (`Unsure`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import trio

from paxos_impl.connection import Connection, NoAnswer
from paxos_impl.core.log import Member, ReadHow
from paxos_impl.membership import Address
from paxos_impl.replica.wire import (
    Answer,
    AskStatus,
    Change,
    Done,
    Elsewhere,
    Execute,
    Read,
    Refused,
    Request,
    Status,
    read_response,
)
from paxos_impl.transport import PLAIN, Transport
from paxos_impl.wire import Waiting

_PAUSE_S = 0.02
"""How long to wait when nobody knows of a leader."""


class NotDone(Exception):
    """What was asked for was not done and never will be."""


class Unsure(Exception):
    """What was asked for may have been done, or may be done yet, or never."""


class ReplicaClient:
    """A session with a cluster; use it with `async with`. One operation is under way at a time.

    `name` tells the session from all others there ever are. Whatever becomes of its messages, each
    operation is executed at most once. After an `Unsure` outcome the session can go on.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        name: str,
        *,
        attempt_s: float = 0.5,
        transport: Transport = PLAIN,
    ) -> None:
        """`attempt_s` is how long one replica may take to answer before another is asked."""
        assert addresses, "there is nobody to ask"
        self._attempt_s, self._transport = attempt_s, transport
        self._addresses, self._name = tuple(addresses), name
        self._connection = self._connect_to(self._addresses[0])
        self._requests = self._number = self._sessions = 0

    async def __aenter__(self) -> ReplicaClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._connection.drop()

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """Have an operation executed, through the log.

        Raises: NotDone; Unsure.
        """
        self._number += 1
        session, number = f"{self._name}.{self._sessions}", self._number
        try:
            return await self._insist(lambda request: Execute(request, session, number, op), timeout_s)
        except (NotDone, Unsure):
            # A session is not known before its first command has come through, so do not rely on it.
            self._sessions, self._number = self._sessions + 1, 0
            raise

    async def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float) -> Done:
        """The result of an operation that only looks. Nothing is written to the log for it.

        It shows all that was done before it, however the leader makes sure of that, unless `how` is "stale":
        then whoever is asked tells what it knows, at once. Raises: NotDone.
        """
        try:
            return await self._insist(lambda request: Read(request, op, how), timeout_s)
        except Unsure as error:
            raise NotDone(str(error)) from error

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        """Have these be the members of the cluster, from some slot on.

        Who is new begins as a learner, with the next id that is free, and gets a vote once it has caught up;
        see `Configuration.with_learner` and what is beside it. Asking again for what is done already changes
        nothing. Raises: NotDone; Unsure.
        """
        return await self._insist(lambda request: Change(request, tuple(members)), timeout_s)

    async def _insist(self, request: Callable[[int], Request], timeout_s: float) -> Done:
        """Ask one replica after the other, the leader where it is known, until one has it done."""
        maybe, why = False, "nobody answered in time"
        with trio.move_on_after(timeout_s):
            while True:
                self._requests += 1
                asked = request(self._requests)
                try:
                    with trio.fail_after(self._attempt_s):
                        await self._connection.open()
                except (NoAnswer, trio.TooSlowError) as error:
                    why = str(error) or why
                    await self._turn_away()
                    continue
                before, maybe = maybe, True
                try:
                    with trio.fail_after(self._attempt_s):
                        answer = await self._connection.ask(asked)
                except (NoAnswer, trio.TooSlowError) as error:
                    why = str(error) or why
                    await self._turn_away()
                    continue
                match answer:
                    case Done():
                        return answer
                    case Elsewhere(leader, perhaps):
                        maybe, why = before or perhaps, "there was no leader"
                        await self._turn_to(leader)
                    case Refused(why, is_final):
                        maybe = before
                        if is_final:
                            break
                        await trio.sleep(_PAUSE_S)
        raise (Unsure if maybe else NotDone)(why)

    async def _turn_to(self, leader: Address | None) -> None:
        """Ask the leader from now on, or whoever comes next if none is known."""
        if leader is None or leader == self._connection.address:
            await self._turn_away()
        else:
            await self._connection.drop()
            self._connection = self._connect_to(leader)

    async def _turn_away(self) -> None:
        """Ask, after a pause, who comes next in the list."""
        now = self._connection.address
        at = self._addresses.index(now) if now in self._addresses else -1
        await self._connection.drop()
        self._connection = self._connect_to(self._addresses[(at + 1) % len(self._addresses)])
        await trio.sleep(_PAUSE_S)

    def _connect_to(self, address: Address) -> Connection[Answer]:
        return Connection(address, read_response, self._transport)


async def status(address: Address, *, timeout_s: float, transport: Transport = PLAIN) -> Status | Waiting:
    """Ask a replica how it is.

    Raises: NoAnswer.
    """
    connection = Connection(address, read_response, transport)
    try:
        with trio.fail_after(timeout_s):
            await connection.open()
            answer = await connection.ask(AskStatus(1))
    except trio.TooSlowError:
        raise NoAnswer(f"{address}: no answer in time") from None
    finally:
        await connection.drop()
    if not isinstance(answer, Status | Waiting):
        raise NoAnswer(f"{address} answered {answer}")
    return answer
