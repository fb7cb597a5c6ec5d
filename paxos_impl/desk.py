"""The desk of an instance: what it is asked by clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostrakon.paxos_impl.core import GetRequested, ProposeRequested, Refused, Unknown, Value
from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.visitor import Visitor
from ostrakon.paxos_impl.wire import (
    ClientGet,
    ClientPropose,
    ClientStatus,
    Incoming,
    Status,
    Waiting,
    read_incoming,
)

if TYPE_CHECKING:
    from ostrakon.paxos_impl.node import Node

VALUE_BYTES_MAX = 1 << 18
"""The longest request in bytes: a message that reports two such values still fits in a frame."""
OVERLOADED = "too much to do; try again later"


def answer_early(visitor: Visitor, request: object, waiting: Waiting) -> None:
    """Serve a request before there is a cluster. Raises: BadFrame."""
    match request:
        case ClientGet(number):
            visitor.answer(number, Unknown())
        case ClientPropose(number) | ClientStatus(number):
            visitor.answer(number, waiting)
        case _:
            raise BadFrame(f"a client sent {type(request).__name__}")


class InstanceDesk:
    """Stands before one node."""

    def __init__(self, node: Node) -> None:
        self._node, self._driver = node, node.driver

    def read(self, body: bytes) -> Incoming:
        """See `Desk`."""
        return read_incoming(body)

    def turn_away(self, visitor: Visitor, request: object, why: str) -> None:
        """See `Desk`."""
        match request:
            case ClientPropose(number) | ClientGet(number):
                visitor.answer(number, Refused(why))
            case _:
                self.serve(visitor, request, 0)

    def serve(self, visitor: Visitor, request: object, size: int) -> None:
        """See `Desk`."""
        match request:
            case ClientStatus(number):
                visitor.answer(number, self._status())
            case ClientPropose() | ClientGet() if self._driver.is_overloaded:
                self.turn_away(visitor, request, OVERLOADED)
            case ClientPropose(number, value) if why := _objection(value, size):
                visitor.answer(number, Refused(why))
            case ClientPropose(number, value):
                visitor.pass_on(number, self._driver, lambda n: ProposeRequested(n, value))
            case ClientGet(number):
                visitor.pass_on(number, self._driver, GetRequested)
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def _status(self) -> Status:
        instance, membership = self._node.instance, self._node.membership
        return Status(
            instance.server_id,
            membership.cluster_id,
            instance.incarnation,
            membership.members,
            instance.acceptor.promised,
            instance.acceptor.accepted,
            instance.learner.chosen,
            type(instance.proposer.phase).__name__.lower(),
        )


def _objection(value: Value, size: int) -> str:
    """Why a value can't be proposed; empty if it can."""
    if size > VALUE_BYTES_MAX:
        return f"the value is too long: at most {VALUE_BYTES_MAX} bytes"
    if value is None:
        return "null stands for no value, and can't be proposed"
    if not is_plain(value):
        return "the value is not plain data, such as JSON can carry"
    return ""


def is_plain(value: Value) -> bool:
    """Whether a value can be traced, shown and put into a snapshot; msgpack can carry more than that."""
    try:
        _encode_plain(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


_encode_plain = msgspec.json.Encoder(order="deterministic").encode
"""Refuses keys that are not text, since what is one dictionary to a replica must be one to all of them."""
