"""The messages that were sent and have not arrived, for somebody who looks into a world that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ostrakon.harness.sim.kernel.kernel import Kernel
from ostrakon.harness.sim.network import datagram_socket, mailbox
from ostrakon.harness.sim.network.half_connection import HalfConnection
from ostrakon.harness.sim.network.link import Link

_ARRIVALS = (
    HalfConnection._arrive,
    HalfConnection._arrive_together,
    datagram_socket._arrive,
    mailbox._arrive,
)
"""The functions that the kernel calls when a message arrives."""


class OnItsWay(NamedTuple):
    """A message in flight."""

    arrives_ns: int
    sender: str
    receiver: str
    payload: Any
    """Bytes, or an object if machines exchange objects."""


def in_flight(kernel: Kernel) -> Iterator[OnItsWay]:
    """The messages in flight, in the order of their arrival; those that a clogged link holds are not told."""
    for at_ns, call, args in kernel.upcoming():
        if getattr(call, "__func__", call) not in _ARRIVALS:
            continue
        connection = getattr(call, "__self__", None)
        link = (
            connection.link if connection is not None else next(one for one in args if isinstance(one, Link))
        )
        payload = args[2] if call is mailbox._arrive else args[1 if connection is None else 0]
        sender, receiver = link.name
        yield OnItsWay(at_ns, sender, receiver, b"".join(payload) if isinstance(payload, list) else payload)
