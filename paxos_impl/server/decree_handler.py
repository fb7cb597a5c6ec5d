"""Serves clients of an instance of Basic Paxos (propose, get and status), and decodes what peers send it."""

from __future__ import annotations

from typing import Any, Protocol

from ostrakon.paxos_impl.core import GetRequested, Instance, ProposeRequested, Refused, Unknown, Value
from ostrakon.paxos_impl.server.client_connection import ClientConnection
from ostrakon.paxos_impl.server.driver import Driver
from ostrakon.paxos_impl.server.request_handler import OVERLOADED, is_plain
from ostrakon.paxos_impl.wire.decree import (
    ClientGet,
    ClientPropose,
    ClientStatus,
    Incoming,
    Status,
    Waiting,
    read_incoming,
)
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Membership

VALUE_BYTES_MAX = 1 << 18
"""Maximum length of a request in bytes: a message that reports two such values still fits in a frame."""


def answer_before_cluster(client: ClientConnection, request: object, waiting: Waiting) -> None:
    """Answer a request while the cluster is not complete. Raises: BadFrame."""
    match request:
        case ClientGet(number):
            client.answer(number, Unknown())
        case ClientPropose(number) | ClientStatus(number):
            client.answer(number, waiting)
        case _:
            raise BadFrame(f"a client sent {type(request).__name__}")


class Node(Protocol):
    """The node whose clients are served."""

    @property
    def driver(self) -> Driver[Any, Any]:
        """Takes requests."""

    @property
    def instance(self) -> Instance:
        """Its state now."""

    @property
    def membership(self) -> Membership:
        """Its cluster."""


class DecreeHandler:
    """Serves the clients of one node, and decodes the messages of its peers. A `RequestHandler`."""

    def __init__(self, node: Node) -> None:
        self._node, self._driver = node, node.driver

    def read(self, body: bytes) -> Incoming:
        """The message in a frame. Raises: BadFrame."""
        return read_incoming(body)

    def refusal(self, why: str) -> Refused:
        """The answer to a request that is refused for good."""
        return Refused(why)

    def refuse(self, client: ClientConnection, request: object, why: str) -> None:
        """Refuse a request; one for the status is served all the same. Raises: BadFrame."""
        match request:
            case ClientPropose(number) | ClientGet(number):
                client.answer(number, Refused(why))
            case _:
                self.serve(client, request, 0)

    def serve(self, client: ClientConnection, request: object, size: int) -> None:
        """Begin to serve a request. Raises: BadFrame."""
        match request:
            case ClientStatus(number):
                client.answer(number, self._status())
            case ClientPropose() | ClientGet() if self._driver.is_overloaded:
                self.refuse(client, request, OVERLOADED)
            case ClientPropose(number, value) if why := _objection(value, size):
                client.answer(number, Refused(why))
            case ClientPropose(number, value):
                client.submit(number, self._driver, lambda n: ProposeRequested(n, value))
            case ClientGet(number):
                client.submit(number, self._driver, GetRequested)
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
