"""Serves clients of a replica: commands, reads, changes of members and status."""

from __future__ import annotations

from typing import Any

from ostrakon.paxos_impl.core.multi import ChangeRequested, Command, ReadRequested, Replica, Submitted
from ostrakon.paxos_impl.core.multi.lease import ClockReading
from ostrakon.paxos_impl.core.multi.phase import Leading
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.server.client_connection import ClientConnection
from ostrakon.paxos_impl.server.replica_node import ReplicaNode
from ostrakon.paxos_impl.server.request_handler import OVERLOADED, is_plain
from ostrakon.paxos_impl.wire.decree import Waiting
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.replica import (
    AskStatus,
    Change,
    Elsewhere,
    Execute,
    Groups,
    Incoming,
    InGroup,
    Read,
    Refused,
    Status,
    read_incoming,
)

COMMAND_BYTES_MAX = 8192
"""Maximum length of a command in bytes: as many as a promise may have to report still fit in a frame."""


def answer_before_cluster(client: ClientConnection, request: object, waiting: Waiting) -> None:
    """Answer a request while the cluster is not complete. Raises: BadFrame."""
    match request:
        case AskStatus(number):
            client.answer(number, waiting)
        case Execute(number) | Read(number) | Change(number):
            client.answer(number, Refused(str(waiting), is_final=False))
        case InGroup(_, asked):
            answer_before_cluster(client, asked, waiting)
        case _:
            raise BadFrame(f"a client sent {type(request).__name__}")


class ReplicaHandler:
    """Serves the clients of one replica. A `RequestHandler`."""

    def __init__(self, node: ReplicaNode) -> None:
        self._node, self._driver = node, node.driver

    def read(self, body: bytes) -> Incoming:
        """The message in a frame. Raises: BadFrame."""
        return read_incoming(body)

    def refuse(self, client: ClientConnection, request: object, why: str) -> None:
        """Send the client to another replica; a request for the status is served. Raises: BadFrame."""
        match request:
            case Execute(number) | Read(number) | Change(number):
                client.answer(number, Elsewhere(None, maybe=False))
            case _:
                self.serve(client, request, 0)

    def serve(self, client: ClientConnection, request: object, size: int) -> None:
        """Begin to serve a request. Raises: BadFrame."""
        match request:
            case Read() | Execute():
                try:
                    self._submit(client, request, size)
                except BadOperation as error:
                    client.answer(request.request, Refused(str(error), is_final=True))
            case AskStatus(number):
                client.answer(number, self._status())
            case Change(number) if self._driver.is_overloaded:
                client.answer(number, _OVERLOADED)
            case Change(number, members):
                client.submit(number, self._driver, lambda n: ChangeRequested(n, members))
            case InGroup():
                client.answer(request.request, Groups(1))
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def _submit(self, client: ClientConnection, request: Read | Execute, size: int) -> None:
        """Submit a read or a command. Raises: BadOperation."""
        number, driver = request.request, self._driver
        if driver.is_overloaded:
            client.answer(number, _OVERLOADED)
            return
        operation = self._parsed(request.op, size)
        if isinstance(request, Execute):
            command = Command(request.client, request.number, request.op)
            client.submit(number, driver, lambda n: Submitted(n, command, size))
        elif self._node.machine.is_query(operation):
            client.submit(number, driver, lambda n: ReadRequested(n, operation, request.how))
        else:
            raise BadOperation("this operation does more than look; have it executed instead")

    def _parsed(self, op: Any, size: int) -> Any:
        """An operation as the state machine takes it. Raises: BadOperation."""
        if size > COMMAND_BYTES_MAX:
            raise BadOperation(f"the command is too long: {size} bytes, of at most {COMMAND_BYTES_MAX}")
        if not is_plain(op):
            raise BadOperation("the operation is not plain data, such as JSON can carry")
        return self._node.machine.parse(op)

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


_OVERLOADED = Refused(OVERLOADED, is_final=False)


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
