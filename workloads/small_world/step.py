"""The steps of a small world, as data. The story of a counterexample is a sequence of steps."""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core import Durable, Message, Value, Vote
from ostrakon.paxos_impl.core.event import Timer


class Ask(msgspec.Struct, frozen=True, tag="ask", tag_field="do"):
    """A client proposes a value to a node."""

    node: int
    value: Value


class Deliver(msgspec.Struct, frozen=True, tag="deliver", tag_field="do"):
    """A message arrives that is under way."""

    sender: int
    node: int
    message: Message


class Fire(msgspec.Struct, frozen=True, tag="timeout", tag_field="do"):
    """A timer of a node runs out."""

    node: int
    timer: Timer


class Crash(msgspec.Struct, frozen=True, tag="crash", tag_field="do"):
    """A node is killed, and starts again with what it finds on its disk."""

    node: int
    found: Durable


class Learn(msgspec.Struct, frozen=True, tag="learn", tag_field="do"):
    """The votes of these acceptors arrive at a node, which learns by them what is chosen."""

    node: int
    vote: Vote
    voters: tuple[int, ...]


Step = Ask | Deliver | Fire | Crash | Learn
