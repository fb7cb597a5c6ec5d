"""Routes the requests of clients to the groups of a server."""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.placement import group_of
from ostrakon.paxos_impl.server.client_connection import ClientConnection
from ostrakon.paxos_impl.server.replica_handler import ReplicaHandler
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.replica import (
    AskStatus,
    Change,
    Execute,
    Groups,
    Incoming,
    InGroup,
    OpenSession,
    Read,
    Refused,
    TakeBackup,
    Watch,
    read_incoming,
)


class GroupsHandler:
    """Passes each request to the handler of its group. A `RequestHandler`."""

    def __init__(self, handlers: Sequence[ReplicaHandler]) -> None:
        self._handlers = handlers

    def read(self, body: bytes) -> Incoming:
        """The message in a frame. Raises: BadFrame."""
        return read_incoming(body)

    def refusal(self, why: str) -> Refused:
        """The answer to a request that is refused for good."""
        return Refused(why, is_final=True)

    def serve(self, client: ClientConnection, request: object, size: int) -> None:
        """Begin to serve a request. Raises: BadFrame."""
        match request:
            case InGroup(group, asked) if 0 <= group < len(self._handlers):
                if why := self._objection(group, asked):
                    client.answer(asked.request, Refused(why, is_final=True))
                else:
                    self._handlers[group].serve(client, asked, size)
            case (
                InGroup()
                | Execute()
                | OpenSession()
                | Read()
                | Change()
                | AskStatus()
                | Watch()
                | TakeBackup()
            ):
                client.answer(request.request, Groups(len(self._handlers)))
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def refuse(self, client: ClientConnection, request: object, why: str) -> None:
        """Send the client to another server. Raises: BadFrame."""
        match request:
            case InGroup(group, asked) if 0 <= group < len(self._handlers):
                self._handlers[group].refuse(client, asked, why)
            case _:
                self.serve(client, request, 0)

    def _objection(self, group: int, asked: object) -> str:
        """Why a request is not for this group; empty if it is."""
        if not isinstance(asked, Execute | Read) or asked.op is None:
            return ""
        if type(asked.op) is list and asked.op[:1] == ["range"]:
            return ""  # Each group has a part of the keys.
        try:
            home = group_of(asked.op, len(self._handlers))
        except BadOperation as error:
            return str(error)
        return "" if home == group else f"that is for group {home}, not for group {group}"
