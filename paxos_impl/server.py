"""A server: a node with links to others behind it, a reception before it, and a driver that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.door import listen_at
from ostrakon.paxos_impl.driver import Driver
from ostrakon.paxos_impl.link import Link
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.metrics import Sample
from ostrakon.paxos_impl.peers import Peers
from ostrakon.paxos_impl.reception import Desk, Reception
from ostrakon.paxos_impl.remark import Remarks, silence
from ostrakon.paxos_impl.storage import StorageFailed
from ostrakon.paxos_impl.transport import PLAIN, Transport
from ostrakon.paxos_impl.wire import Hello, framed


class Server(Protocol):
    """A node that is ready to run."""

    @property
    def drivers(self) -> Sequence[Driver[Any, Any]]:
        """What drives it: one for each of its groups."""

    @property
    def links(self) -> dict[int, Link]:
        """To the other members."""

    @property
    def peers(self) -> Peers:
        """Knows the other members by what they say of themselves."""

    @property
    def desk(self) -> Desk:
        """Serves clients."""

    async def run(self) -> None:
        """Run until cancelled.

        Raises: StorageFailed.
        """

    def samples(self) -> Iterable[Sample]:
        """What there is to measure of what it decides."""


def links_to_others(
    server_id: int,
    membership: Membership,
    *,
    protocol: int,
    incarnation: int,
    rng: Random,
    log: Remarks,
    transport: Transport,
) -> dict[int, Link]:
    """A link to each of the other members."""
    return {
        peer: link_to(
            peer,
            membership.members[peer],
            me=server_id,
            membership=membership,
            protocol=protocol,
            incarnation=incarnation,
            rng=rng,
            log=log,
            transport=transport,
        )
        for peer in membership.ids
        if peer != server_id
    }


def link_to(
    peer: int,
    address: Address,
    *,
    me: int,
    membership: Membership,
    protocol: int,
    incarnation: int,
    rng: Random,
    log: Remarks,
    transport: Transport,
    found_at: str = "",
    groups: int = 1,
) -> Link:
    """A link to another member, which is found at this address; it is told where this one is `found_at`."""
    hello = Hello(protocol, membership.cluster_id, me, peer, incarnation, found_at, groups)
    return Link(address, framed(hello), rng, log, transport, groups=groups)


async def serve_node(
    server: Server,
    listen: Address,
    *,
    log: Remarks = silence,
    transport: Transport = PLAIN,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a server until cancelled; `task_status` tells where it listens once it does.

    Raises: StorageFailed, when its disk fails it; OSError, when it can't listen.
    """
    reception = Reception(server.desk, log, transport)
    reception.open(server)
    listeners = await listen_at(listen)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, reception.door.welcome, listeners)
        task_status.started(_address(listen, listeners))
        failure = await run_until_failed(server)
        nursery.cancel_scope.cancel()
    raise failure


async def serve_when_complete(
    reception: Reception,
    join: Callable[[], Awaitable[Server]],
    listen: Address,
    *,
    stop: trio.Event,
    task_status: trio.TaskStatus[Address],
) -> None:
    """Listen at once; run the server that `join` makes, as soon as it does, until `stop` is set.

    Then whoever waits for an answer is given it, as far as that is possible in a short while.

    Raises, in a group: what `join` raises; StorageFailed. Raises: OSError, when it can't listen.
    """
    listeners = await listen_at(listen)

    async def run() -> None:
        server = await join()
        reception.open(server)
        raise await run_until_failed(server)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, reception.door.welcome, listeners)
        task_status.started(_address(listen, listeners))
        nursery.start_soon(run)
        await stop.wait()
        await reception.close()
        nursery.cancel_scope.cancel()


async def run_until_failed(server: Server) -> StorageFailed:
    """Run a server and its links until its disk fails it; returns how."""
    async with trio.open_nursery() as nursery:
        for link in server.links.values():
            nursery.start_soon(link.run)
        try:
            await server.run()
        except StorageFailed as error:
            failure = error
            nursery.cancel_scope.cancel()
    return failure


def _address(listen: Address, listeners: list[trio.SocketListener]) -> Address:
    """Where it listens, if any port would do."""
    return Address(listen.host, listeners[0].socket.getsockname()[1])
