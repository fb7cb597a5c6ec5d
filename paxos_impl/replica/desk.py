"""The desk of a replica: what it is asked by clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paxos_impl.core.log import ChangeRequested, Command, ReadRequested, Submitted
from paxos_impl.desk import OVERLOADED, is_plain
from paxos_impl.frame import BadFrame
from paxos_impl.kv.machine import BadOperation
from paxos_impl.replica.moment import now
from paxos_impl.replica.standing import lease_left_s
from paxos_impl.replica.wire import (
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
from paxos_impl.visitor import Visitor
from paxos_impl.wire import Waiting

if TYPE_CHECKING:
    from paxos_impl.replica.node import ReplicaNode

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
            case AskStatus(number):
                visitor.answer(number, self._status())
            case Execute(number) | Read(number) | Change(number) if self._driver.is_overloaded:
                visitor.answer(number, Refused(OVERLOADED, is_final=False))
            case Execute(number, op=op) | Read(number, op) if why := self._objection(op, size):
                visitor.answer(number, Refused(why, is_final=True))
            case Execute(number, client, nth, op):
                command = Command(client, nth, op)
                visitor.pass_on(number, self._driver, lambda n: Submitted(n, command, size))
            case Read(number, op) if not self._node.machine.is_query(self._node.machine.parse(op)):
                why = "this operation does more than look; have it executed instead"
                visitor.answer(number, Refused(why, is_final=True))
            case Read(number, op, how):
                visitor.pass_on(number, self._driver, lambda n: ReadRequested(n, op, how))
            case Change(number, members):
                visitor.pass_on(number, self._driver, lambda n: ChangeRequested(n, members))
            case InGroup():
                visitor.answer(request.request, Groups(1))
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def _objection(self, op: Any, size: int) -> str:
        """Why an operation can't be taken up; empty if it can."""
        if size > COMMAND_BYTES_MAX:
            return f"the command is too long: {size} bytes, of at most {COMMAND_BYTES_MAX}"
        if not is_plain(op):
            return "the operation is not plain data, such as JSON can carry"
        try:
            self._node.machine.parse(op)
        except BadOperation as error:
            return str(error)
        return ""

    def _status(self) -> Status:
        replica, node = self._node.replica, self._node
        return Status(
            replica.server_id,
            node.membership.cluster_id,
            replica.incarnation,
            {id: node.addresses[id] for id in replica.members if id in node.addresses},
            type(replica.phase).__name__.lower(),
            replica.leader,
            replica.promised,
            replica.upto,
            replica.applied,
            replica.ledger.top,
            replica.configurations[-1],
            lease_left_s(replica, now()),
        )
