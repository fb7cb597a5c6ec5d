"""The desk of a server with several groups: has each request served by the group that has its keys."""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.placement import group_of
from ostrakon.paxos_impl.replica.desk import ReplicaDesk
from ostrakon.paxos_impl.replica.wire import (
    AskStatus,
    Change,
    Execute,
    Groups,
    Incoming,
    InGroup,
    Read,
    Refused,
    read_incoming,
)
from ostrakon.paxos_impl.visitor import Visitor


class GroupsDesk:
    """Stands before the desks of all groups."""

    def __init__(self, desks: Sequence[ReplicaDesk]) -> None:
        self._desks = desks

    def read(self, body: bytes) -> Incoming:
        """See `Desk`."""
        return read_incoming(body)

    def serve(self, visitor: Visitor, request: object, size: int) -> None:
        """See `Desk`."""
        match request:
            case InGroup(group, asked) if 0 <= group < len(self._desks):
                if why := self._objection(group, asked):
                    visitor.answer(asked.request, Refused(why, is_final=True))
                else:
                    self._desks[group].serve(visitor, asked, size)
            case InGroup() | Execute() | Read() | Change() | AskStatus():
                visitor.answer(request.request, Groups(len(self._desks)))
            case _:
                raise BadFrame(f"a client sent {type(request).__name__}")

    def turn_away(self, visitor: Visitor, request: object, why: str) -> None:
        """See `Desk`."""
        match request:
            case InGroup(group, asked) if 0 <= group < len(self._desks):
                self._desks[group].turn_away(visitor, asked, why)
            case _:
                self.serve(visitor, request, 0)

    def _objection(self, group: int, asked: Execute | Read | Change | AskStatus) -> str:
        """Why a group can't do what it is asked for; empty if it can, or if the rest is up to it."""
        if not isinstance(asked, Execute | Read):
            return ""
        try:
            home = group_of(asked.op, len(self._desks))
        except BadOperation as error:
            return str(error)
        return "" if home == group else f"that is for group {home}, not for group {group}"
