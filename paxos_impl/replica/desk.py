"""The desk of a replica: what it is asked by clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostrakon.paxos_impl.core.multi import ChangeRequested, Command, ReadRequested, Submitted
from ostrakon.paxos_impl.desk import OVERLOADED, is_plain
from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.replica.moment import now
from ostrakon.paxos_impl.replica.standing import lease_left_s
from ostrakon.paxos_impl.replica.wire import (
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
from ostrakon.paxos_impl.visitor import Visitor
from ostrakon.paxos_impl.wire import Waiting

if TYPE_CHECKING:
    from ostrakon.paxos_impl.replica.node import ReplicaNode

COMMAND_BYTES_MAX = 8192
"""The longest command in bytes: as many as a promise may have to report still fit in a frame."""


def answer_early(visitor: Visitor, request: object, waiting: Waiting) -> None:
    """Serve a request before there is a cluster. Raises: BadFrame."""
    match request:
        case AskStatus(number):
            visitor.answer(number, waiting)
        case Execute(number) | Read(number) | Change(number):
            visitor.answer(number, Refused(str(waiting), is_final=False))
        case InGroup(_, asked):
            answer_early(visitor, asked, waiting)
        case _:
            raise BadFrame(f"a client sent {type(request).__name__}")


class ReplicaDesk:
    """Stands before one replica."""

    def __init__(self, node: ReplicaNode) -> None:
        self._node, self._driver = node, node.driver

    def read(self, body: bytes) -> Incoming:
        """See `Desk`."""
        return read_incoming(body)

    def turn_away(self, visitor: Visitor, request: object, why: str) -> None:
        """See `Desk`."""
        match request:
            case Execute(number) | Read(number) | Change(number):
                visitor.answer(number, Elsewhere(None, maybe=False))
            case _:
                self.serve(visitor, request, 0)

    def serve(self, visitor: Visitor, request: object, size: int) -> None:
        """See `Desk`."""
        match request:
            case Read() | Execute():
                try:
                    self._take(visitor, request, size)
                except BadOperation as error:
                    visitor.answer(request.request, Refused(str(error), is_final=True))
            case AskStatus(number):
                visitor.answer(number, self._status())
            case Change(number) if self._driver.is_overloaded:
                visitor.answer(number, _OVERLOADED)
            case Change(number, members):
                visitor.pass_on(number, self._driver, lambda n: ChangeRequested(n, members))
            case InGroup():
                visitor.answer(request.request, Groups(1))
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def _take(self, visitor: Visitor, request: Read | Execute, size: int) -> None:
        """Take a request up. Raises: BadOperation."""
        number, driver = request.request, self._driver
        if driver.is_overloaded:
            visitor.answer(number, _OVERLOADED)
            return
        operation = self._parsed(request.op, size)
        if isinstance(request, Execute):
            command = Command(request.client, request.number, request.op)
            visitor.pass_on(number, driver, lambda n: Submitted(n, command, size))
        elif self._node.machine.is_query(operation):
            visitor.pass_on(number, driver, lambda n: ReadRequested(n, operation, request.how))
        else:
            raise BadOperation("this operation does more than look; have it executed instead")

    def _parsed(self, op: Any, size: int) -> Any:
        """An operation as the state machine takes it.

        Raises: BadOperation, saying why it can't be taken up.
        """
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
            lease_left_s(replica, now()),
        )


_OVERLOADED = Refused(OVERLOADED, is_final=False)
