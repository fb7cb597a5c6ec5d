"""The messages between replicas of a log, and between clients and replicas.

A connection begins as one to an instance of Basic Paxos does, with the same `Hello`, but with another
protocol number.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Configuration, Member, Message, ReadHow
from ostrakon.paxos_impl.core.multi.snapshot import SnapshotId
from ostrakon.paxos_impl.wire.decree import Envelope, Hello, Response, Waiting, decoded
from ostrakon.paxos_impl.wire.membership import Address

PROTOCOL = 1004
"""Raised when the wire format or the operations of the store change; replicas of different protocols do not
talk. If one of them refused an operation that another one executes, their states would differ."""


class Execute(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Executes a command once; answered with its result."""

    request: int
    client: str
    """The id of its session."""
    number: int
    """Counts the commands of the session, from 1."""
    op: Any


class OpenSession(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Opens a session, whose id is the result: the `client` of the commands to be executed in it."""

    request: int
    name: str
    """Different for each request to open one."""


class Read(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the result of an operation that only reads; it takes no slot of the log."""

    request: int
    op: Any
    """None for a read of nothing: its answer only tells a slot that all acknowledged commands come before."""
    how: ReadHow = "lease"


class Change(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Changes the members of the cluster."""

    request: int
    members: tuple[Member, ...]


class AskStatus(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the status."""

    request: int


class Watch(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for all changes of some keys after a slot; answered with `Watched` again and again, or with
    `Dropped`."""

    request: int
    start: str = ""
    end: str | None = None
    """The keys from `start` up to, but not including, `end`; None for all that follow."""
    after: int | None = None
    """The slot; None for the last one that the replica has executed."""


class TakeBackup(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the whole state after a slot or a later one; answered with `BackupPart`s in their order.

    Any replica that has executed the slot answers; another one refuses, for now.
    """

    request: int
    after: int


Asked = Execute | OpenSession | Read | Change | Watch | TakeBackup
"""The requests that only a replica of a complete cluster can serve."""


class InGroup(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A request for one group of a cluster that has several."""

    group: int
    asked: Asked | AskStatus

    @property
    def request(self) -> int:
        """The number of the inner request."""
        return self.asked.request


class Done(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The request was executed, durably, with this result."""

    slot: int
    """The log up to this slot has the command, and all commands that the result depends on."""
    result: Any


class Elsewhere(msgspec.Struct, frozen=True, tag=True, gc=False):
    """This replica does not lead: ask another one."""

    leader: Address | None
    """Address of the leader; None if it is not known."""
    maybe: bool
    """Whether the command was proposed and may be executed later. If not, this attempt never executes it."""


class Refused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The request was not executed, and this attempt never executes it."""

    why: str
    is_final: bool
    """Whether another attempt, at any replica, would be refused too."""
    is_unsure: bool = False
    """Whether an earlier attempt may have been executed: the session is forgotten, and nobody can tell."""


class Status(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The status of a replica."""

    server_id: int
    cluster_id: str
    incarnation: int
    members: dict[int, Address]
    phase: str
    """Its phase: following, canvassing, campaigning or leading."""
    leader: int | None
    promised: Ballot | None
    upto: int
    """It knows the values of all slots up to this one."""
    executed: int
    """The last slot it has executed."""
    top: int
    """The last slot in which it has voted, or whose value it knows."""
    configuration: Configuration | None = None
    """The newest configuration that it knows; it may be in force only for future slots."""
    lease_s: float | None = None
    """How long no other replica can lead, at least, in seconds; None if this replica does not lead."""


class Groups(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Nothing was done: the cluster has `count` groups. Send the request again `InGroup`, or without it for
    1."""

    count: int


class KeyChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A key has another value after a slot."""

    slot: int
    key: str
    value: Any = None
    """None if the key has no value any more, or if the value is left out."""
    is_left_out: bool = False
    """Whether the value is left out because it is long: read the key."""


class Watched(msgspec.Struct, frozen=True, tag=True, gc=False):
    """All changes up to a slot that were not told before, in the order of the log."""

    upto: int
    changes: tuple[KeyChange, ...] = ()


class Dropped(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The changes of this slot and those before it are not kept any more."""

    oldest: int


class BackupPart(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A part of a snapshot in bytes; the parts together are an `Image`."""

    id: SnapshotId | None
    """None while the state is still being encoded, which the replica tells at once and every `PROGRESS_S`."""
    offset: int = 0
    data: bytes = b""


PROGRESS_S = 1.0
"""A replica tells a watcher at least so often, in seconds, how far it has come."""

Answer = Done | Elsewhere | Refused | Status | Waiting | Groups | Watched | Dropped | BackupPart


Request = Asked | AskStatus | InGroup
Incoming = Hello | Envelope[Message] | Request

_incoming: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
_response: msgspec.msgpack.Decoder[Response[Answer]] = msgspec.msgpack.Decoder(Response[Answer])


def read_incoming(body: bytes) -> Incoming:
    """The message in a frame that a replica received.

    Raises: BadFrame, saying what is wrong with it.
    """
    return decoded(body, _incoming, "a message that a replica takes")


def read_response(body: bytes) -> Response[Answer]:
    """The message in a frame that a client received.

    Raises: BadFrame, saying what is wrong with it.
    """
    return decoded(body, _response, "a response")
