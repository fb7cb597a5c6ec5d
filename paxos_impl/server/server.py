"""Runs a server: a node, the links to its peers, and a dispatcher for incoming connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.server.dispatcher import Dispatcher
from ostrakon.paxos_impl.server.driver import Driver
from ostrakon.paxos_impl.server.limits import LIMITS, Limits
from ostrakon.paxos_impl.server.link import Link
from ostrakon.paxos_impl.server.listener import listen_at
from ostrakon.paxos_impl.server.log_record import LogSink, no_log
from ostrakon.paxos_impl.server.metrics import Sample
from ostrakon.paxos_impl.server.request_handler import RequestHandler
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed
from ostrakon.paxos_impl.wire.decree import Hello
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport


class Server(Protocol):
    """One or several nodes that are ready to run, with their links and their request handler."""

    @property
    def drivers(self) -> Sequence[Driver[Any, Any]]:
        """One for each group."""

    @property
    def links(self) -> dict[int, Link]:
        """Link to each of the other members, by id."""

    @property
    def handler(self) -> RequestHandler:
        """Serves clients."""

    def check(self, hello: Hello) -> None:
        """Check that a peer may talk to this server.

        Raises: BadFrame.
        """

    async def run(self) -> None:
        """Run until cancelled.

        Raises: StorageFailed.
        """

    def samples(self) -> Iterable[Sample]:
        """Metrics of the protocol and the disk."""


async def serve_node(
    server: Server,
    listen: Address,
    *,
    log: LogSink = no_log,
    transport: Transport = PLAIN,
    limits: Limits = LIMITS,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a server until cancelled; `task_status` gets the address once the server listens.

    Raises: StorageFailed, when a disk operation fails; OSError, when it can't listen.
    """
    dispatcher = Dispatcher(server.handler, log, transport, limits)
    dispatcher.open(server)
    listeners = await listen_at(listen)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, dispatcher.listener.serve_connection, listeners)
        task_status.started(_bound_address(listen, listeners))
        failure = await run_until_failed(server)
        nursery.cancel_scope.cancel()
    raise failure


async def serve_when_complete(
    dispatcher: Dispatcher,
    join: Callable[[], Awaitable[Server]],
    listen: Address,
    *,
    stop: trio.Event,
    task_status: trio.TaskStatus[Address],
) -> None:
    """Listen at once; run the server that `join` returns until `stop` is set.

    Then clients that wait for answers get them, if the answers come within a short time.

    Raises, in a group: what `join` raises; StorageFailed. Raises: OSError, when it can't listen.
    """
    listeners = await listen_at(listen)

    async def run() -> None:
        server = await join()
        dispatcher.open(server)
        raise await run_until_failed(server)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, dispatcher.listener.serve_connection, listeners)
        task_status.started(_bound_address(listen, listeners))
        nursery.start_soon(run)
        await stop.wait()
        await dispatcher.close()
        nursery.cancel_scope.cancel()


async def run_until_failed(server: Server) -> StorageFailed:
    """Run a server and its links until a disk operation fails; return that failure."""
    async with trio.open_nursery() as nursery:
        for link in server.links.values():
            nursery.start_soon(link.run)
        try:
            await server.run()
        except StorageFailed as error:
            failure = error
            nursery.cancel_scope.cancel()
    return failure


def _bound_address(listen: Address, listeners: list[trio.SocketListener]) -> Address:
    """The address with the port that was chosen if `listen` leaves it open."""
    return Address(listen.host, listeners[0].socket.getsockname()[1])
