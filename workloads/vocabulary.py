"""The kinds of messages between servers of a Paxos, so that a fault can be about the next `Promise`."""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, get_args

from ostrakon.harness.workload import Vocabulary
from ostrakon.paxos_impl.core import message as decree
from ostrakon.paxos_impl.core.multi import message as log
from ostrakon.paxos_impl.wire.decree import read_incoming as read_by_instance
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.replica import read_incoming as read_by_replica

WIDTH = 4
"""How many bytes of a frame say how long it is."""


def _vocabulary(messages: UnionType, read: Callable[[bytes], object]) -> Vocabulary:
    def kind_of(message: Any) -> str:
        if isinstance(message, bytes):
            try:
                sent = getattr(read(message[WIDTH:]), "message", None)
            except BadFrame:
                return ""
        else:
            _, sent, *_ = message  # Bare nodes send each message with its id, and perhaps its group.
        return _name(type(sent))

    return Vocabulary(tuple(map(_name, get_args(messages))), kind_of)


def _name(kind: type[Any]) -> str:
    """What plans call a kind of message: its tag on the wire, which outlives a renaming of the class."""
    config = getattr(kind, "__struct_config__", None)
    return "" if config is None else str(config.tag)


OF_INSTANCES = _vocabulary(decree.Message, read_by_instance)
"""What instances of Basic Paxos say to each other."""
OF_REPLICAS = _vocabulary(log.Message, read_by_replica)
"""What replicas of a log say to each other."""
