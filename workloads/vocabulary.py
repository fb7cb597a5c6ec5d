"""The kinds of messages between servers of a Paxos, so that a fault can be about the next `Promise`."""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, get_args

from ostrakon.harness.workload import Vocabulary
from ostrakon.paxos_impl.core import message as decree
from ostrakon.paxos_impl.core.log import message as log
from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.replica.wire import read_incoming as read_by_replica
from ostrakon.paxos_impl.wire import read_incoming as read_by_instance

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
            _, sent = message  # Bare instances send each message with its id.
        return type(sent).__name__

    return Vocabulary(tuple(kind.__name__ for kind in get_args(messages)), kind_of)


OF_INSTANCES = _vocabulary(decree.Message, read_by_instance)
"""What instances of Basic Paxos say to each other."""
OF_REPLICAS = _vocabulary(log.Message, read_by_replica)
"""What replicas of a log say to each other."""
