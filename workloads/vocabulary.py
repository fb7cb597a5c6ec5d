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
"""The number of bytes at the beginning of a frame that hold its length."""


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
    """The name of a kind of message in plans: its tag on the wire, which stays if the class is renamed."""
    config = getattr(kind, "__struct_config__", None)
    return "" if config is None else str(config.tag)


OF_INSTANCES = _vocabulary(decree.Message, read_by_instance)
"""The messages of Basic Paxos."""
OF_REPLICAS = _vocabulary(log.Message, read_by_replica)
"""The messages of a replicated log."""
