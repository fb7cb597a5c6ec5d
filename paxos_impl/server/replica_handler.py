"""Serves clients of a replica: commands, reads, changes of members and status."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import trio

from ostrakon.paxos_impl.core.multi import (
    ChangeRequested,
    Command,
    Image,
    ReadRequested,
    Replica,
    Submitted,
)
from ostrakon.paxos_impl.core.multi.lease import ClockReading
from ostrakon.paxos_impl.core.multi.phase import Leading
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.sessions import OPENING
from ostrakon.paxos_impl.server.change_log import ChangeLog
from ostrakon.paxos_impl.server.client_connection import ClientConnection
from ostrakon.paxos_impl.server.replica_node import ReplicaNode
from ostrakon.paxos_impl.server.request_handler import DEPTH_MAX, OVERLOADED, is_plain
from ostrakon.paxos_impl.wire.decree import Waiting
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.replica import (
    PROGRESS_S,
    Asked,
    AskStatus,
    BackupPart,
    Change,
    Dropped,
    Elsewhere,
    Execute,
    Groups,
    Incoming,
    InGroup,
    OpenSession,
    Read,
    Refused,
    Status,
    TakeBackup,
    Watch,
    Watched,
    read_incoming,
)

NUMBER_MAX = 2**62
"""Highest number of a command in a session."""
NAME_LENGTH_MAX = 256
"""Maximum length of the id or name of a session, in characters."""


def answer_before_cluster(client: ClientConnection, request: object, waiting: Waiting) -> None:
    """Answer a request while the cluster is not complete. Raises: BadFrame."""
    if isinstance(request, Asked):
        client.answer(request.request, Refused(str(waiting), is_final=False))
        return
    match request:
        case AskStatus(number):
            client.answer(number, waiting)
        case InGroup(_, asked):
            answer_before_cluster(client, asked, waiting)
        case _:
            raise BadFrame(f"a client sent {type(request).__name__}")


class ReplicaHandler:
    """Serves the clients of one replica. A `RequestHandler`."""

    def __init__(self, node: ReplicaNode) -> None:
        self._node, self._driver = node, node.driver
        self._backups = 0
        """Number of backups in progress."""

    def read(self, body: bytes) -> Incoming:
        """The message in a frame. Raises: BadFrame."""
        return read_incoming(body)

    def refusal(self, why: str) -> Refused:
        """The answer to a request that is refused for good."""
        return Refused(why, is_final=True)

    def refuse(self, client: ClientConnection, request: object, why: str) -> None:
        """Send the client to another replica; a request for the status is served. Raises: BadFrame."""
        if isinstance(request, Asked):
            client.answer(request.request, Elsewhere(None, maybe=False))
        else:
            self.serve(client, request, 0)

    def serve(self, client: ClientConnection, request: object, size: int) -> None:
        """Begin to serve a request. Raises: BadFrame."""
        match request:
            case Read() | Execute() | OpenSession():
                try:
                    self._submit(client, request, size)
                except BadOperation as error:
                    client.answer(request.request, Refused(str(error), is_final=True))
            case AskStatus(number):
                client.answer(number, self._status())
            case Change(number) if self._driver.is_overloaded:
                client.answer(number, _OVERLOADED)
            case Change(number, members):
                client.submit(number, self._driver, lambda n: ChangeRequested(n, members), kind="change")
            case Watch():
                self._begin_watch(client, request)
            case TakeBackup():
                self._begin_backup(client, request)
            case InGroup():
                client.answer(request.request, Groups(1))
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def _begin_watch(self, client: ClientConnection, watch: Watch) -> None:
        changes = self._node.changes
        if changes is None:
            client.answer(watch.request, self.refusal("the state machine does not tell which keys change"))
        elif client.streams >= STREAMS_MAX:
            client.answer(
                watch.request, self.refusal(f"a client watches at most {STREAMS_MAX} times at once")
            )
        else:
            client.stream(partial(_watch, client, watch, changes))

    def _begin_backup(self, client: ClientConnection, backup: TakeBackup) -> None:
        number, replica = backup.request, self._node.replica
        executed = replica.applied
        if not replica.rules.may_back_up(executed, backup.after):
            why = f"it has executed slot {executed}, and not slot {backup.after} yet"
            client.answer(number, Refused(why, is_final=False))
        elif self._backups >= BACKUPS_MAX or client.streams >= STREAMS_MAX:
            client.answer(number, Refused(f"{BACKUPS_MAX} backups are in progress", is_final=False))
        else:
            client.stream(partial(self._backup, client, number))

    async def _backup(self, client: ClientConnection, number: int) -> None:
        """Send the state in parts, each when the client has read most of those before it."""
        self._backups += 1
        try:
            image: Image | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell_progress, client, number)
                image = await self._node.image()
                nursery.cancel_scope.cancel()
            if image is None:
                client.answer(number, self.refusal("the state can't be encoded"))
                return
            for at in range(0, image.id.size, PART_BYTES):
                with trio.move_on_after(BACKUP_PAUSE_S) as waiting:
                    await client.wait_read()
                if waiting.cancelled_caught:
                    return
                client.answer(number, BackupPart(image.id, at, image.data[at : at + PART_BYTES]))
        finally:
            self._backups -= 1

    def _submit(self, client: ClientConnection, request: Read | Execute | OpenSession, size: int) -> None:
        """Submit a read or a command. Raises: BadOperation."""
        number, driver = request.request, self._driver
        if driver.is_overloaded:
            client.answer(number, _OVERLOADED)
            return
        match request:
            case OpenSession(_, name):
                _require_short(name)
                opening = Command(name, OPENING, None)
                client.submit(number, driver, lambda n: Submitted(n, opening, size), size, "open_session")
            case Execute(_, session, count, op):
                _require_short(session)
                if not 1 <= count <= NUMBER_MAX:
                    raise BadOperation(
                        f"commands of a session are numbered from 1 to {NUMBER_MAX}, not {count}"
                    )
                self._parsed(op, size)
                command = Command(session, count, op)
                client.submit(number, driver, lambda n: Submitted(n, command, size), size, "execute")
            case Read(_, None, how):
                client.submit(number, driver, lambda n: ReadRequested(n, None, how), size, f"read_{how}")
            case Read(_, op, how):
                operation = self._parsed(op, size)
                if not self._node.machine.is_query(operation):
                    raise BadOperation("this operation changes the state; have it executed instead")
                client.submit(number, driver, lambda n: ReadRequested(n, operation, how), size, f"read_{how}")

    def _parsed(self, op: Any, size: int) -> Any:
        """An operation as the state machine takes it. Raises: BadOperation."""
        limit = self._node.command_bytes_max
        if size > limit:
            raise BadOperation(f"the command is too long: {size} bytes, of at most {limit}")
        if not is_plain(op):
            raise BadOperation(
                "the operation is not plain data, such as JSON can carry, of a depth of at most "
                f"{DEPTH_MAX} and with integers of at most 64 bits"
            )
        try:
            return self._node.machine.parse(op)
        except BadOperation:
            raise
        except Exception as error:  # The machine may be anyone's, and must not end the server.
            raise BadOperation(f"the state machine can't parse it: {error}") from error

    def _status(self) -> Status:
        replica, node = self._node.replica, self._node
        return Status(
            replica.server_id,
            node.membership.cluster_id,
            replica.incarnation,
            {id: node.addresses[id] for id in replica.members if id in node.addresses},
            str(replica.phase.__struct_config__.tag),
            replica.leader,
            replica.promised,
            replica.commit_index,
            replica.applied,
            replica.log.top,
            replica.configurations[-1],
            _lease_left_s(replica, node.now()),
        )


async def _tell_progress(client: ClientConnection, number: int) -> None:
    """Tell a client again and again that its backup is on the way."""
    while True:
        client.answer(number, BackupPart(None))
        await trio.sleep(PROGRESS_S)


async def _watch(client: ClientConnection, watch: Watch, changes: ChangeLog) -> None:
    """Tell a client of changes until it is gone, or until older ones are not kept any more.

    What is told next is looked up when the client has read what was told before.
    """
    after = changes.upto if watch.after is None else watch.after
    told, told_s = -1, -math.inf
    while True:
        if after < changes.oldest:
            client.answer(watch.request, Dropped(changes.oldest))
            return
        after, found = changes.after(after, watch.start, watch.end)
        now_s = trio.current_time()
        if found or told < 0 or now_s - told_s >= PROGRESS_S:
            client.answer(watch.request, Watched(after, tuple(found)))
            told, told_s = after, now_s
        await client.wait_read()
        with trio.move_on_at(told_s + PROGRESS_S):
            await changes.wait_beyond(after)


STREAMS_MAX = 100
"""How many times a client may watch at once in one connection."""
BACKUPS_MAX = 2
"""How many backups may be in progress at once, because each may hold another state in memory."""
PART_BYTES = 1 << 18
"""The length of a part of a backup."""
BACKUP_PAUSE_S = 30.0
"""A client that has not read for so long gets no further part of its backup."""
_OVERLOADED = Refused(OVERLOADED, is_final=False)


def _require_short(name: str) -> None:
    """Check the name of a session. Raises: BadOperation."""
    if len(name) > NAME_LENGTH_MAX:
        raise BadOperation(f"the name of a session has at most {NAME_LENGTH_MAX} characters")


def _lease_left_s(replica: Replica, now: ClockReading) -> float | None:
    """How long no other server can lead, by the leases granted so far; None if this replica does not lead.

    A leader that is a quorum by itself always has a whole lease left.
    """
    phase, rules = replica.phase, replica.rules
    if not isinstance(phase, Leading) or replica.lease_config is None:
        return None
    trusted_s = rules.trusted_s(replica.lease_config)
    granted = phase.lease.granted
    left_s = {id: trusted_s - rules.passed_s(since, now) for id, since in granted.items()}
    granters: tuple[int, ...] = ()
    for granter in (replica.server_id, *sorted(left_s, key=left_s.__getitem__, reverse=True)):
        granters = (*granters, granter)
        if _is_quorum(replica, granters):
            return max(0.0, left_s.get(granter, trusted_s))
    return 0.0


def _is_quorum(replica: Replica, granters: tuple[int, ...]) -> bool:
    """Whether these servers are a quorum of each configuration that is or will be in force."""
    rules = replica.rules
    return all(
        rules.is_chosen(rules.counted(each, granters), len(each.voters)) for each in replica.configurations
    )
