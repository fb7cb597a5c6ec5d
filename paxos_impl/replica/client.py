"""A client of a replicated state machine: has operations executed, and says how it ended.

There are three outcomes and no fourth: done, definitely not done (`NotDone`), and nobody knows (`Unsure`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any

import trio

from ostrakon.paxos_impl.connection import Connection, NoAnswer
from ostrakon.paxos_impl.core.multi import Member, ReadHow
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.placement import group_of
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.replica.session import NotDone as NotDone
from ostrakon.paxos_impl.replica.session import OtherGroups, Session
from ostrakon.paxos_impl.replica.session import Unsure as Unsure
from ostrakon.paxos_impl.replica.wire import Answer, AskStatus, Done, Groups, InGroup, Status, read_response
from ostrakon.paxos_impl.transport import PLAIN, Transport
from ostrakon.paxos_impl.wire import Waiting


class ReplicaClient:
    """Has a session with a cluster; use it with `async with`. One operation is under way at a time.

    `name` tells the session from all others there ever are. Whatever becomes of its messages, each
    operation is executed at most once. After an `Unsure` outcome the session can go on.

    Whether the cluster has several groups it is told when it first asks; then it has a session with each
    group that it asks for something.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        name: str,
        *,
        attempt_s: float = 0.5,
        transport: Transport = PLAIN,
    ) -> None:
        """`attempt_s` is how long a replica may take to answer before another is asked.

        Each that has not done so gets the next one twice as long, until something was done.
        """
        assert addresses, "there is nobody to ask"
        self._addresses, self._name = tuple(addresses), name
        self._attempt_s, self._transport = attempt_s, transport
        self._groups = 1
        self._sessions: dict[int, Session] = {}

    async def __aenter__(self) -> ReplicaClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._drop()

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """Have an operation executed, through the log.

        Raises: NotDone; Unsure.
        """
        return await self._ask(
            lambda: self._home(op), lambda session, left_s: session.execute(op, timeout_s=left_s), timeout_s
        )

    async def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float) -> Done:
        """The result of an operation that only looks. Nothing is written to the log for it.

        It shows all that was done before it, however the leader makes sure of that, unless `how` is "stale":
        then whoever is asked tells what it knows, at once. Raises: NotDone.
        """
        return await self._ask(
            lambda: self._home(op),
            lambda session, left_s: session.read(op, how=how, timeout_s=left_s),
            timeout_s,
        )

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        """Have these be the members of the cluster, from some slot on.

        Who is new begins as a learner, with the next id that is free, and gets a vote once it has caught up;
        see `Configuration.with_learner` and what is beside it. Asking again for what is done already changes
        nothing. If there are several groups, it is the first that decides, and the others are brought to
        have the same members; where that was not done yet, asking again does it. Raises: NotDone; Unsure.
        """
        deadline = trio.current_time() + timeout_s
        done = await self._ask(
            lambda: 0, lambda session, left_s: session.change(members, timeout_s=left_s), timeout_s
        )
        for group in range(1, self._groups):
            try:
                now = await self._session(0).members(done.slot, timeout_s=deadline - trio.current_time())
                await self._session(group).change(now, timeout_s=deadline - trio.current_time())
            except (NotDone, Unsure) as why:
                raise Unsure(f"{group} of {self._groups} groups have done it; then, {why}") from why
        return done

    async def _ask(
        self, home: Callable[[], int], ask: Callable[[Session, float], Awaitable[Done]], timeout_s: float
    ) -> Done:
        """Ask the group that `home` says; again, if the number of groups is not what it was thought to be."""
        deadline = trio.current_time() + timeout_s
        while True:
            try:
                return await ask(self._session(home()), deadline - trio.current_time())
            except OtherGroups as others:
                await self._drop()
                self._groups = others.count

    def _home(self, op: Any) -> int:
        """The group that an operation is for. Raises: NotDone, if there is none."""
        if self._groups == 1:
            return 0
        try:
            return group_of(op, self._groups)
        except BadOperation as error:
            raise NotDone(str(error)) from error

    def _session(self, group: int) -> Session:
        if group not in self._sessions:
            self._sessions[group] = Session(
                self._addresses,
                self._name,
                group=group if self._groups > 1 else None,
                attempt_s=self._attempt_s,
                transport=self._transport,
            )
        return self._sessions[group]

    async def _drop(self) -> None:
        while self._sessions:
            await self._sessions.popitem()[1].drop()


async def status(address: Address, *, timeout_s: float, transport: Transport = PLAIN) -> Status | Waiting:
    """Ask a replica how it is; if it has several groups, how the first of them is.

    Raises: NoAnswer.
    """
    told = await statuses(address, timeout_s=timeout_s, transport=transport, groups_max=1)
    return told if isinstance(told, Waiting) else told[0]


async def statuses(
    address: Address, *, timeout_s: float, transport: Transport = PLAIN, groups_max: int | None = None
) -> list[Status] | Waiting:
    """Ask a replica how each of its groups is, or the first ones; most have one only.

    Raises: NoAnswer.
    """
    connection = Connection(address, read_response, transport)
    try:
        with trio.fail_after(timeout_s):
            await connection.open()
            first = await connection.ask(AskStatus(1))
            answers: list[Answer] = [first]
            if isinstance(first, Groups):
                groups = range(first.count)[:groups_max]
                answers = [await connection.ask(InGroup(group, AskStatus(2 + group))) for group in groups]
    except trio.TooSlowError:
        raise NoAnswer(f"{address}: no answer in time") from None
    finally:
        await connection.drop()
    if isinstance(first, Waiting):
        return first
    told = [answer for answer in answers if isinstance(answer, Status)]
    if len(told) < len(answers):
        raise NoAnswer(f"{address} answered {answers}")
    return told
