"""What a node of a Maelstrom cluster runs: the binary itself, and beside it what carries its messages.

Messages to other nodes and to clients go over TCP, line by line, so that the nemesis can lose, repeat, delay
or reorder each. The network promises nothing: what cannot be delivered is dropped, as Maelstrom's does.
"""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio

from ostrakon.harness.workload import Site
from ostrakon.workloads.maelstrom.message import BadMessage, Message, decode, encode

PORT = 7300
LINE_MAX = 1 << 22
"""Bytes that a message may have."""
BACKLOG = 1_000
"""Messages that wait for one receiver; more are dropped."""
Deliver = Callable[[trio.MemoryReceiveChannel[Message]], Awaitable[object]]
"""Takes messages to where they go, as long as it can."""
_BRIDGE = "bridge"
"""Who sends `init`."""


async def run_binary(site: Site) -> None:
    """Start the binary of the option `bin`, tell it who it is, and carry its messages.

    Returns never; raises BinaryEnded when the binary ends, and BadMessage when it prints what is no message.
    """
    command = [str(site.options["bin"]), *map(str, site.options.get("args", ()))]
    async with trio.open_nursery() as nursery:
        # It prints its log where this process does, and belongs to its group: signals reach both.
        binary = await nursery.start(
            partial(trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=False)
        )
        node = _Bridge(site, binary, nursery)
        nursery.start_soon(node.carry_from_binary)
        await node.init()
        await nursery.start(partial(trio.serve_tcp, node.welcome, PORT))


class BinaryEnded(Exception):
    """The program that is a node ended, which no node does."""


class _Bridge:
    """One node's binary, and those who talk with it."""

    def __init__(self, site: Site, binary: trio.Process, nursery: trio.Nursery) -> None:
        assert binary.stdin is not None
        self._site, self._binary, self._nursery = site, binary, nursery
        self._stdin = binary.stdin
        self._writing = trio.Lock()
        self._outboxes: dict[str, trio.MemorySendChannel[Message]] = {}
        self._is_ready = trio.Event()

    async def init(self) -> None:
        """Tell the binary who it is, and wait until it has said that it knows."""
        body = {"type": "init", "msg_id": 0, "node_id": self._site.name, "node_ids": list(self._site.nodes)}
        with suppress(trio.BrokenResourceError):  # It ended already; who reads what it prints tells how.
            await self._give(Message(_BRIDGE, self._site.name, body))
        await self._is_ready.wait()

    async def carry_from_binary(self) -> None:
        """Deliver what the binary prints."""
        assert self._binary.stdout is not None
        async for line in LinesOf(self._binary.stdout):
            message = decode(line)
            if message.dest == _BRIDGE:
                self._is_ready.set()
            else:
                self._send(message)
        status = await self._binary.wait()
        raise BinaryEnded(f"{self._site.options['bin']} ended with status {status}")

    async def welcome(self, stream: trio.SocketStream) -> None:
        """Give the binary what comes over a connection; a client's answers go back over it."""
        try:
            async for line in LinesOf(stream):
                message = decode(line)
                if message.src not in self._site.nodes and message.src not in self._outboxes:
                    self._outboxes[message.src] = self._outbox(partial(_drain, stream))
                await self._give(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError, BadMessage):
            pass  # A fault has broken the connection, or a bit of what it carried.

    def _send(self, message: Message) -> None:
        if message.dest in self._site.nodes and message.dest not in self._outboxes:
            self._outboxes[message.dest] = self._outbox(partial(self._deliver, message.dest))
        try:
            self._outboxes[message.dest].send_nowait(message)
        except (KeyError, trio.WouldBlock, trio.BrokenResourceError):
            return  # Nobody of that name, or one who does not listen.

    def _outbox(self, deliver: Deliver) -> trio.MemorySendChannel[Message]:
        outbox, waiting = trio.open_memory_channel[Message](BACKLOG)
        self._nursery.start_soon(deliver, waiting)
        return outbox

    async def _deliver(self, node: str, waiting: trio.MemoryReceiveChannel[Message]) -> None:
        """Hand messages to another node, over one connection as long as it lasts."""
        async for message in waiting:
            try:
                async with await trio.open_tcp_stream(node, PORT) as stream:
                    await stream.send_all(encode(message))
                    await _drain(stream, waiting)
            except (OSError, trio.BrokenResourceError):
                continue

    async def _give(self, message: Message) -> None:
        async with self._writing:
            await self._stdin.send_all(encode(message))


async def _drain(stream: trio.SocketStream, waiting: trio.MemoryReceiveChannel[Message]) -> None:
    try:
        async for message in waiting:
            await stream.send_all(encode(message))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


class LinesOf:
    """What comes in, line by line, empty ones left out. Iterating raises BadMessage at a line without end."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._whole: deque[bytes] = deque()
        self._rest = b""

    def __aiter__(self) -> LinesOf:
        return self

    async def __anext__(self) -> bytes:
        while not self._whole:
            chunk = await self._stream.receive_some()
            if not chunk:
                raise StopAsyncIteration
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self._whole.extend(line for line in whole if line.strip())
            if len(self._rest) > LINE_MAX:
                raise BadMessage(f"a line of more than {LINE_MAX} bytes")
        return self._whole.popleft()
