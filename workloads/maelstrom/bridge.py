"""The program of a Maelstrom node: it starts the binary and carries the binary's messages.

Messages to other nodes go over TCP, line by line, so that the nemesis can lose, duplicate, delay or reorder
each. All others go to the hub, which knows clients and services. A message that cannot be delivered is lost,
as on Maelstrom's network.
"""

from __future__ import annotations

import random
import subprocess
from collections import deque
from contextlib import suppress
from functools import partial

import trio
from msgspec.structs import replace

from ostrakon.harness.substrates.errors import root_cause
from ostrakon.harness.workload import AdapterFailed, Site
from ostrakon.workloads.maelstrom.message import SERVICES, BadMessage, Message, decode, encode, route

PORT = 7300
LINE_MAX = 1 << 22
"""The maximum length of a message, in bytes."""
BACKLOG = 1_000
"""The number of messages that wait for one receiver; more are lost."""
INIT_S = 10.0
"""How long a binary may take to answer `init`, in seconds in which it is not paused."""
HELLO = "hub"
"""The `src` of the first line on the hub's connection, and of the bridge's when the binary is ready."""
_INITIALIZER = "c0"
"""The client that sends `init`."""
_STARTING_S = 10.0
"""How long messages wait for a node that has never listened yet."""
_RETRY_S = 0.1
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class ProgramFailed(Exception):
    """The program that is the node did what no node may do; the text says what."""


async def run_binary(site: Site) -> None:
    """Run the binary of the option `bin` as a node, until it ends.

    Raises: ProgramFailed, when the binary ends, prints a line that is no message or does not answer `init`;
    AdapterFailed, for any other error, which is one of this module.
    """
    try:
        await _run(site)
    except ExceptionGroup as group:
        by_program, _ = group.split(ProgramFailed)
        if by_program is not None:
            raise root_cause(by_program) from None
        cause = root_cause(group)
        raise AdapterFailed(f"{type(cause).__name__}: {cause}") from group


async def _run(site: Site) -> None:
    command = [str(site.options["bin"]), *map(str, site.options.get("args", ()))]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=False)
        try:
            # Its stderr is that of this process. It is of the same group, so that signals reach both.
            binary = await nursery.start(start)
        except OSError as wrong:
            raise ProgramFailed(f"{site.options['bin']} cannot be started: {wrong}") from wrong
        bridge = _Bridge(site, binary, nursery)
        nursery.start_soon(bridge.read_binary)
        nursery.start_soon(bridge.feed_hub)
        await nursery.start(partial(trio.serve_tcp, bridge.welcome, PORT))
        await bridge.init()


class _Bridge:
    """The connections of one binary."""

    def __init__(self, site: Site, binary: trio.Process, nursery: trio.Nursery) -> None:
        assert binary.stdin is not None
        self._site, self._binary, self._nursery = site, binary, nursery
        self._stdin = binary.stdin
        self._writing = trio.Lock()
        self._rng: random.Random = site.rng
        self._outboxes: dict[str, trio.MemorySendChannel[Message]] = {}
        self._to_hub, self._for_hub = trio.open_memory_channel[Message](BACKLOG)
        self._hub: trio.SocketStream | None = None
        self._hub_came = trio.Event()
        self._is_ready = trio.Event()
        self._held: list[Message] | None = []
        """The messages that came before the binary has answered `init`; None after that."""

    async def init(self) -> None:
        """Send `init` to the binary, wait for the answer, and hand over what came meanwhile.

        Only answers of services are not held until then: a binary may ask them while it starts.
        Raises: ProgramFailed.
        """
        body = {"type": "init", "msg_id": 1, "node_id": self._site.name, "node_ids": list(self._site.nodes)}
        await self._give(Message(_INITIALIZER, self._site.name, body))
        # In short turns: time in which this process and the binary are paused together is not to count.
        for _ in range(round(INIT_S / _RETRY_S)):
            with trio.move_on_after(_RETRY_S):
                await self._is_ready.wait()
                break
        else:
            raise ProgramFailed(f"{self._site.options['bin']} did not answer init within {INIT_S:g} s")
        held, self._held = self._held or [], None
        for message in held:
            await self._give(message)
        await self._to_hub.send(Message(HELLO, HELLO, {}))

    async def read_binary(self) -> None:
        """Send the messages that the binary prints. Raises: ProgramFailed."""
        assert self._binary.stdout is not None
        try:
            async for line in LinesOf(self._binary.stdout):
                message = decode(line)
                if message.dest == _INITIALIZER:
                    self._take_init_answer(message)
                else:
                    self._send(replace(message, id=self._rng.getrandbits(52)))
        except BadMessage as wrong:
            raise ProgramFailed(str(wrong)) from wrong
        status = await self._binary.wait()
        raise ProgramFailed(f"{self._site.options['bin']} ended with status {status}")

    def _take_init_answer(self, message: Message) -> None:
        if (kind := message.body.get("type")) != "init_ok":
            told = message.body.get("text", message.body)
            raise ProgramFailed(f"expected an answer of type init_ok to init, got {kind!r}: {told}")
        self._is_ready.set()

    def _send(self, message: Message) -> None:
        if route(message, self._site.nodes, ()) != "node":
            outbox = self._to_hub
        elif message.dest in self._outboxes:
            outbox = self._outboxes[message.dest]
        else:
            outbox, waiting = trio.open_memory_channel[Message](BACKLOG)
            self._outboxes[message.dest] = outbox
            self._nursery.start_soon(self._deliver, message.dest, waiting)
        with suppress(trio.WouldBlock):
            outbox.send_nowait(message)

    async def _deliver(self, node: str, waiting: trio.MemoryReceiveChannel[Message]) -> None:
        """Send messages to another node, over one connection for as long as it lasts."""
        starting_until_s = trio.current_time() + _STARTING_S
        async for message in waiting:
            while True:
                with suppress(OSError, *_GONE):
                    async with await trio.open_tcp_stream(node, PORT) as stream:
                        starting_until_s = 0.0
                        await stream.send_all(encode(message))
                        await _send_until_closed(stream, waiting)
                # A node that is gone gets no messages, and one that starts with us gets its first ones.
                if trio.current_time() >= starting_until_s:
                    break
                await trio.sleep(_RETRY_S)

    async def feed_hub(self) -> None:
        """Send messages to the hub, when it is connected."""
        async for message in self._for_hub:
            while self._hub is None:
                await self._hub_came.wait()
            try:
                await self._hub.send_all(encode(message))
            except _GONE:
                self._hub = None

    async def welcome(self, stream: trio.SocketStream) -> None:
        """Give the binary the messages of a connection; one of them is that of the hub."""
        try:
            async for line in LinesOf(stream):
                try:
                    message = decode(line)
                except BadMessage:
                    continue  # A fault has turned a bit of it.
                if message.src == HELLO:
                    self._hub = stream
                    self._hub_came.set()
                    self._hub_came = trio.Event()
                    if self._held is None:
                        await self._to_hub.send(Message(HELLO, HELLO, {}))
                elif self._held is not None and message.src not in SERVICES:
                    self._held.append(message)
                else:
                    await self._give(message)
        except (*_GONE, BadMessage):
            pass  # A fault has broken the connection.

    async def _give(self, message: Message) -> None:
        async with self._writing:
            with suppress(*_GONE):  # The binary has ended; what reads its messages says how.
                await self._stdin.send_all(encode(message))


async def _send_until_closed(stream: trio.SocketStream, waiting: trio.MemoryReceiveChannel[Message]) -> None:
    """Send messages until the receiver closes the connection. It sends nothing itself."""
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def until_closed() -> None:
            # Without this, the first messages after a restart of the receiver would go into the old socket.
            with suppress(*_GONE):
                await stream.receive_some()
            nursery.cancel_scope.cancel()

        with suppress(*_GONE):
            async for message in waiting:
                await stream.send_all(encode(message))
        nursery.cancel_scope.cancel()


class LinesOf:
    """The lines of a stream, without empty ones. Iterating raises BadMessage at a line without end."""

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
