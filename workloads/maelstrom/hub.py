"""The part of Maelstrom's network that is in the harness: it joins clients and services with all nodes.

There is one connection to each node's bridge. Whatever a node prints that is not for another node comes over
it, and is routed here by its `dest`: so any node can answer any client, as one must to which another has
handed the client's request.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import trio
from msgspec.structs import replace

from ostrakon.harness.plan import Plan
from ostrakon.harness.substrates.latency import planned_latency
from ostrakon.harness.workload import Site, Unavailable
from ostrakon.workloads.maelstrom.bridge import BACKLOG, HELLO, INIT_S, PORT, LinesOf
from ostrakon.workloads.maelstrom.message import BadMessage, Body, Message, decode, encode, route
from ostrakon.workloads.maelstrom.services import Request, services

_STARTING_S = 1.0
"""How long it waits for the first connections to all nodes."""
_RETRY_S = 0.05
"""How long it waits before it tries again to reach a node."""
_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, BadMessage)


@asynccontextmanager
async def open_hub(plan: Plan, site: Site) -> AsyncIterator[Hub]:
    """A hub that is connected to every node that listens, for as long as the trial lasts."""
    async with trio.open_nursery() as nursery:
        hub = Hub(site, planned_latency(plan.latency).sampler(site.rng), nursery)
        for node in site.nodes:
            nursery.start_soon(hub.keep_connected, node)
        # A node that never listened is not waited for, and one that has ended no longer.
        with trio.move_on_after(_STARTING_S):
            await hub.until(lambda link: link.outbox is not None)
        with trio.move_on_after(INIT_S):
            await hub.until(lambda link: link.is_ready or link.outbox is None)
        yield hub
        nursery.cancel_scope.cancel()


@dataclass(eq=False)
class _Link:
    """The connection to one node."""

    outbox: trio.MemorySendChannel[Message] | None = None
    """The messages for the node; None while there is no connection."""
    is_ready: bool = False
    """Whether there is a connection, and the binary has answered `init`."""


@dataclass(frozen=True, eq=False)
class Mailbox:
    """The messages for one client."""

    node: str
    """The node that the client asks."""
    put: trio.MemorySendChannel[Body]
    bodies: trio.MemoryReceiveChannel[Body]
    """The bodies of messages for the client. They end when the connection to its node does."""


class Hub:
    """Routes the messages of clients and services."""

    def __init__(self, site: Site, draw_ns: Callable[[], int], nursery: trio.Nursery) -> None:
        self._site, self._draw_ns, self._nursery = site, draw_ns, nursery
        self._rng: random.Random = site.rng
        self._links = {node: _Link() for node in site.nodes}
        self._services = services(site.rng)
        self._mailboxes: dict[str, Mailbox] = {}
        self._news = trio.Event()

    @contextmanager
    def mailbox(self, client: str, node: str) -> Iterator[Mailbox]:
        """The mailbox of a client that asks this node."""
        put, bodies = trio.open_memory_channel[Body](BACKLOG)
        self._mailboxes[client] = Mailbox(node, put, bodies)
        try:
            yield self._mailboxes[client]
        finally:
            del self._mailboxes[client]

    async def until(self, holds: Callable[[_Link], bool]) -> None:
        """Wait until this is true of the connection to each node."""
        while not all(map(holds, self._links.values())):
            await self._news.wait()

    def is_ready(self, node: str) -> bool:
        """Whether there is a connection to this node, and its binary has answered `init`."""
        return self._links[node].is_ready

    def _change(self, link: _Link, *, outbox: trio.MemorySendChannel[Message] | None, is_ready: bool) -> None:
        link.outbox, link.is_ready = outbox, is_ready
        self._news.set()
        self._news = trio.Event()

    def send(self, message: Message) -> None:
        """Send a message to a node. Raises: Unavailable, if there is no connection to it."""
        outbox = self._links[message.dest].outbox
        if outbox is None:
            raise Unavailable(f"{message.dest} does not listen")
        try:
            outbox.send_nowait(replace(message, id=self._rng.getrandbits(52)))
        except trio.WouldBlock:
            return  # The node reads nothing; the message is lost, as on any network.

    async def keep_connected(self, node: str) -> None:
        """Connect to a node, and again when the connection has ended."""
        while True:
            try:
                async with await trio.open_tcp_stream(node, PORT) as stream:
                    await self._serve(node, stream)
            except* _GONE:
                pass  # The node is not there, or has been killed.
            await trio.sleep(_RETRY_S)

    async def _serve(self, node: str, stream: trio.SocketStream) -> None:
        link = self._links[node]
        await stream.send_all(encode(Message(HELLO, node, {})))
        outbox, waiting = trio.open_memory_channel[Message](BACKLOG)
        self._change(link, outbox=outbox, is_ready=False)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_hand_over, stream, waiting)
                async for line in LinesOf(stream):
                    message = decode(line)
                    if message.src == HELLO:
                        self._change(link, outbox=outbox, is_ready=True)
                    else:
                        self._route(message)
                nursery.cancel_scope.cancel()
        finally:
            self._change(link, outbox=None, is_ready=False)
            for mailbox in self._mailboxes.values():
                if mailbox.node == node:
                    mailbox.put.close()

    def _route(self, message: Message) -> None:
        """Take a message from a node or a service to its receiver, if there is one."""
        match route(message, self._site.nodes, self._services):
            case "node":
                with suppress(Unavailable):
                    self.send(message)
            case "service":
                self._nursery.start_soon(self._ask_service, message)
            case "client" if (mailbox := self._mailboxes.get(message.dest)) is not None:
                try:
                    mailbox.put.send_nowait(message.body)
                except (trio.WouldBlock, trio.ClosedResourceError):
                    return  # A client that no longer listens.

    async def _ask_service(self, message: Message) -> None:
        """Let a service answer; it is on the network, so that request and answer take their time."""
        await trio.sleep(self._draw_ns() / 1e9)
        request = Request(message.src, message.body, int(trio.current_time() * 1e9))
        self._services[message.dest], answer = self._services[message.dest].serve(request, self._rng)
        await trio.sleep(self._draw_ns() / 1e9)
        if "msg_id" in message.body:
            answer = {**answer, "in_reply_to": message.body["msg_id"]}
        self._route(Message(message.dest, message.src, answer))


async def _hand_over(stream: trio.SocketStream, waiting: trio.MemoryReceiveChannel[Message]) -> None:
    async for message in waiting:
        await stream.send_all(encode(message))
