"""A client of a replicated state machine: executes operations and tells their outcome.

There are three outcomes: done, definitely not done (`NotDone`), and unknown (`Unsure`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any

import anyio
from msgspec.structs import replace

from ostrakon.paxos_impl.client.connection import Channels, Connection, Connections, NoAnswer
from ostrakon.paxos_impl.client.session import NotDone as NotDone
from ostrakon.paxos_impl.client.session import OtherGroups, Session
from ostrakon.paxos_impl.client.session import Unsure as Unsure
from ostrakon.paxos_impl.core.multi import Member, ReadHow
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.operation import PAGE_ITEMS_MAX, Range, plain, prefix_range
from ostrakon.paxos_impl.kv.placement import group_of
from ostrakon.paxos_impl.wire.decree import Waiting
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Answer, AskStatus, Done, Groups, InGroup, Status, read_response
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport


class ReplicaClient:
    """A client with a session; use it with `async with`, for one operation at a time.

    `name` must differ from the names of all other sessions, past and future. Each operation is executed at
    most once, whatever the network does. After an `Unsure` outcome the client can be used further.

    The first answer of the cluster tells whether it has several groups; then the client has a session with
    each group that it uses.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        name: str,
        *,
        attempt_s: float = 0.5,
        transport: Transport = PLAIN,
        channels: Channels[Answer] | None = None,
    ) -> None:
        """`attempt_s` is the time that a replica has to answer before another replica is asked.

        After each replica that does not answer, the next one has twice as long. `channels` takes
        the place of `transport` where connections are shared.
        """
        assert addresses, "there is no replica to ask"
        self._addresses, self._name = tuple(addresses), name
        self._attempt_s = attempt_s
        self._channels = channels or Connections(read_response, transport)
        self._groups = 1
        self._sessions: dict[int, Session] = {}

    async def __aenter__(self) -> ReplicaClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._drop()

    def renew(self) -> None:
        """Open another session for the next operation, as after a restart of the client."""
        for session in self._sessions.values():
            session.renew()

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """Execute an operation through the log.

        Raises: NotDone; Unsure.
        """
        return await self._ask(
            lambda: self._home(op), lambda session, left_s: session.execute(op, timeout_s=left_s), timeout_s
        )

    async def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float) -> Done:
        """The result of an operation that only reads. Nothing is written to the log.

        It shows the effects of all operations that were done before it, except with `how="stale"`: then any
        replica answers at once with the state that it knows. Raises: NotDone.
        """
        return await self._ask(
            lambda: self._home(op),
            lambda session, left_s: session.read(op, how=how, timeout_s=left_s),
            timeout_s,
        )

    async def items(
        self,
        prefix: str = "",
        *,
        start: str | None = None,
        keys_only: bool = False,
        timeout_s: float,
    ) -> AsyncGenerator[tuple[str, Any], None]:
        """The keys of the store that begin with `prefix`, in order, with their values, read page by page.

        They begin with `start`, if it is given. Each page shows one state; it may take `timeout_s`. With
        several groups, the pages of all groups are merged. Raises: NotDone.
        """
        wanted = prefix_range(prefix, limit=PAGE_ITEMS_MAX, keys_only=keys_only)
        if start is not None:
            wanted = replace(wanted, start=max(prefix, start))
        await self._ask(
            lambda: 0,
            lambda session, left_s: session.read(plain(wanted), how="lease", timeout_s=left_s),
            timeout_s,
        )
        pages = [_Pages(self._session(group), wanted, timeout_s) for group in range(self._groups)]
        heads = [(item, group) for group, each in enumerate(pages) if (item := await each.next()) is not None]
        while heads:
            at = min(range(len(heads)), key=lambda at: heads[at][0][0])
            item, group = heads[at]
            yield item
            following = await pages[group].next()
            if following is None:
                del heads[at]
            else:
                heads[at] = following, group

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        """Change the members of the cluster, from some slot on.

        A new member begins as a learner with the next free id, and can get a vote once it has caught up; see
        `Configuration.with_learner` and `with_vote`. A change that is done already has no effect. With
        several groups, the first group decides, and the others then get the same members; if that is
        interrupted, the same call completes it. Raises: NotDone; Unsure.
        """
        deadline = anyio.current_time() + timeout_s
        done = await self._ask(
            lambda: 0, lambda session, left_s: session.change(members, timeout_s=left_s), timeout_s
        )
        for group in range(1, self._groups):
            try:
                now = await self._session(0).members(done.slot, timeout_s=deadline - anyio.current_time())
                await self._session(group).change(now, timeout_s=deadline - anyio.current_time())
            except (NotDone, Unsure) as why:
                raise Unsure(f"{group} of {self._groups} groups have done it; then, {why}") from why
        return done

    async def _ask(
        self, home: Callable[[], int], ask: Callable[[Session, float], Awaitable[Done]], timeout_s: float
    ) -> Done:
        """Ask the group that `home` returns; ask again if the cluster has another number of groups than
        expected."""
        deadline = anyio.current_time() + timeout_s
        while True:
            try:
                return await ask(self._session(home()), deadline - anyio.current_time())
            except OtherGroups as others:
                await self._drop()
                self._groups = others.count

    def _home(self, op: Any) -> int:
        """The group of an operation. Raises: NotDone, if no group has all of its keys."""
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
                channels=self._channels,
            )
        return self._sessions[group]

    async def _drop(self) -> None:
        while self._sessions:
            await self._sessions.popitem()[1].drop()


class _Pages:
    """The items of one group in order."""

    def __init__(self, session: Session, wanted: Range, timeout_s: float) -> None:
        self._session, self._wanted, self._timeout_s = session, wanted, timeout_s
        self._items: deque[list[Any]] = deque()
        self._is_over = False

    async def next(self) -> tuple[str, Any] | None:
        """The next item; None at the end. Raises: NotDone."""
        while not self._items and not self._is_over:
            page = await self._session.read(plain(self._wanted), how="lease", timeout_s=self._timeout_s)
            self._items.extend(page.result["items"])
            following = page.result["next"]
            self._is_over = following is None
            if not self._is_over:
                self._wanted = replace(self._wanted, start=following)
        if not self._items:
            return None
        key, value = self._items.popleft()
        return key, value


async def status(address: Address, *, timeout_s: float, transport: Transport = PLAIN) -> Status | Waiting:
    """Ask a replica for its status; with several groups, for that of the first group.

    Raises: NoAnswer.
    """
    answered = await statuses(address, timeout_s=timeout_s, transport=transport, groups_max=1)
    return answered if isinstance(answered, Waiting) else answered[0]


async def statuses(
    address: Address, *, timeout_s: float, transport: Transport = PLAIN, groups_max: int | None = None
) -> list[Status] | Waiting:
    """Ask a replica for the status of each of its groups, or of the first `groups_max`.

    Raises: NoAnswer.
    """
    connection = Connection(address, read_response, transport)
    try:
        with anyio.fail_after(timeout_s):
            await connection.open()
            first = await connection.ask(AskStatus(1))
            answers: list[Answer] = [first]
            if isinstance(first, Groups):
                groups = range(first.count)[:groups_max]
                answers = [await connection.ask(InGroup(group, AskStatus(2 + group))) for group in groups]
    except TimeoutError:
        raise NoAnswer(f"{address}: no answer in time") from None
    finally:
        await connection.drop()
    if isinstance(first, Waiting):
        return first
    answered = [answer for answer in answers if isinstance(answer, Status)]
    if len(answered) < len(answers):
        raise NoAnswer(f"{address} answered {answers}")
    return answered
