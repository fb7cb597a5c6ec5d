"""A link: sends messages from one server to another, over a TCP connection that it makes again when it
breaks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import trio

from ostrakon.paxos_impl.server.send_queue import SendQueue
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

QUEUED_MAX = 256
"""Maximum number of messages of each group that wait for one peer."""
QUEUED_BYTES_MAX = 64 << 20
"""Maximum length of all messages that wait for one peer, in bytes, unless it is one message."""

_CONNECT_TIMEOUT_S = 0.5
"""A few times the longest usual round trip, but less than TCP waits before it sends its first packet
again."""
_PAUSE_S_FIRST, _PAUSE_S_MAX = 0.02, 0.16
"""Pause between attempts, in seconds. The longest is short, because a restarted peer should not wait for this
server, and a few attempts a second cost little."""


class Link:
    """Sends frames to one address while `run` runs. Frames in a connection that breaks are lost."""

    __slots__ = ("_address", "_connected", "_hello", "_log", "_queue", "_rng", "_transport")

    def __init__(
        self,
        address: Address,
        hello: bytes,
        rng: Random,
        log: Callable[[str], None],
        transport: Transport = PLAIN,
        *,
        groups: int = 1,
    ) -> None:
        """`groups` is the number of groups that share the link."""
        self._address, self._hello, self._transport = address, hello, transport
        self._rng, self._log = rng, log
        self._queue = SendQueue(QUEUED_MAX * groups, QUEUED_BYTES_MAX)
        self._connected: trio.CancelScope | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection that is not known to be broken."""
        return self._connected is not None

    @property
    def queued(self) -> int:
        """Number of messages that wait to be sent."""
        return len(self._queue)

    @property
    def dropped(self) -> int:
        """Number of messages dropped because the queue was full."""
        return self._queue.dropped

    def send(self, frame: bytes) -> None:
        """Queue a frame; never waits and never fails."""
        self._queue.put(frame)

    def reconnect(self) -> None:
        """Close the connection, because the process at its other end is known to be gone."""
        if self._connected is not None:
            self._connected.cancel()

    async def run(self) -> None:
        """Connect when there is a message to send; after a failure, pause for longer each time."""
        attempts = 0
        while True:
            await self._queue.wait_filled()
            if (stream := await self._dial()) is not None:
                attempts = 0
                with trio.CancelScope() as self._connected:
                    await self._write(stream)
                self._connected = None
                continue
            if attempts == 0:
                self._log(f"can't reach {self._address}; will go on trying")
            pause_s = min(_PAUSE_S_FIRST * 2.0 ** min(attempts, 16), _PAUSE_S_MAX)
            await trio.sleep(pause_s * self._rng.uniform(0.5, 1.0))
            attempts += 1

    async def _dial(self) -> trio.abc.Stream | None:
        with trio.move_on_after(_CONNECT_TIMEOUT_S):
            with suppress(OSError):
                return await self._transport.dial(self._address)
        return None

    async def _write(self, stream: trio.abc.Stream) -> None:
        try:
            await stream.send_all(self._hello)
            while True:
                await self._queue.wait_filled()
                # Frames taken after `reconnect` would be lost with this connection.
                await trio.lowlevel.checkpoint_if_cancelled()
                await stream.send_all(self._queue.take())
        except trio.BrokenResourceError:
            self._log(f"lost the connection to {self._address}")
        finally:
            await trio.aclose_forcefully(stream)
