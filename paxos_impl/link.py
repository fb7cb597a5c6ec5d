"""A link: one instance's way of sending to one other, over a TCP connection that it makes and remakes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import trio

from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.outbox import Outbox
from ostrakon.paxos_impl.transport import PLAIN, Transport

QUEUED_MAX = 256
"""How many messages of each group wait for one member that can't be reached."""

_CONNECT_TIMEOUT_S = 0.5
"""A few times the longest round trip there is, but less than what TCP waits before it asks once more."""
_PAUSE_S_FIRST, _PAUSE_S_MAX = 0.02, 0.16
"""Between attempts. The longest is short: where somebody listens again, it should not wait for us, and a
few attempts a second cost nobody anything."""


class Link:
    """Sends frames to one address, as long as `run` runs. What a broken connection held is lost."""

    __slots__ = ("_address", "_connected", "_hello", "_log", "_outbox", "_rng", "_transport")

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
        """As many `groups` send over it."""
        self._address, self._hello, self._transport = address, hello, transport
        self._rng, self._log = rng, log
        self._outbox = Outbox(QUEUED_MAX * groups)
        self._connected: trio.CancelScope | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connected is not None

    @property
    def queued(self) -> int:
        """How many messages wait to be sent."""
        return len(self._outbox)

    @property
    def dropped(self) -> int:
        """How many messages have made room for others."""
        return self._outbox.dropped

    def send(self, frame: bytes) -> None:
        """Queue a frame; never waits and never fails."""
        self._outbox.put(frame)

    def reconnect(self) -> None:
        """Give up the connection: the process at its other end is known to be gone."""
        if self._connected is not None:
            self._connected.cancel()

    async def run(self) -> None:
        """Connect when there is something to send, and again when that breaks, a little later each time."""
        attempts = 0
        while True:
            await self._outbox.wait_filled()
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
                await self._outbox.wait_filled()
                # What is taken once this connection is given up would be lost with it.
                await trio.lowlevel.checkpoint_if_cancelled()
                await stream.send_all(self._outbox.take())
        except trio.BrokenResourceError:
            self._log(f"lost the connection to {self._address}")
        finally:
            await trio.aclose_forcefully(stream)
