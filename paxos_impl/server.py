"""A server: a node with a reception before it, links behind it, and one driver that runs it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import trio

from paxos_impl.driver import Driver
from paxos_impl.link import Link
from paxos_impl.membership import Address, Membership
from paxos_impl.reception import Desk, Reception
from paxos_impl.storage import StorageFailed
from paxos_impl.transport import Transport
from paxos_impl.wire import Hello, framed


class Served(Protocol):
    """A node, ready to be run."""

    @property
    def driver(self) -> Driver[Any, Any]:
        """Runs it."""

    @property
    def links(self) -> dict[int, Link]:
        """To the other members."""

    @property
    def desk(self) -> Desk:
        """Hears the other members, and clients."""


def links_to_others(
    server_id: int,
    membership: Membership,
    *,
    protocol: int,
    incarnation: int,
    rng: Random,
    log: Callable[[str], None],
    transport: Transport,
) -> dict[int, Link]:
    """A link to each of the other members."""
    return {
        peer: Link(
            membership.members[peer],
            framed(Hello(protocol, membership.cluster_id, server_id, peer, incarnation)),
            rng,
            log,
            transport,
        )
        for peer in membership.ids
        if peer != server_id
    }


async def serve_node(
    node: Served,
    listen: Address,
    *,
    log: Callable[[str], None],
    transport: Transport,
    task_status: trio.TaskStatus[Address],
) -> None:
    """Run a node until cancelled; `task_status` tells where it listens once it does.

    Raises: StorageFailed, when its disk fails it; OSError, when it can't listen.
    """
    listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
    failure: StorageFailed | None = None
    async with trio.open_nursery() as nursery:
        for link in node.links.values():
            nursery.start_soon(link.run)
        reception = Reception(node.desk, log, transport)
        nursery.start_soon(trio.serve_listeners, reception.welcome, listeners)
        task_status.started(Address(listen.host, listeners[0].socket.getsockname()[1]))
        try:
            await node.driver.run()
        except StorageFailed as error:
            failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
