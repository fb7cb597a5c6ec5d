"""The door of a service: lets connections in, so many at most, and says of each why it was closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import trio

from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.remark import Remark, Remarks
from ostrakon.paxos_impl.transport import Stranger, Transport

CONNECTIONS_MAX = 2000
"""How many there may be in all; who comes then is shown out at once."""
FIRST_WORDS_S = 10.0
"""How long who connects may take to say what it wants."""


class Crowded(Exception):
    """There are enough connections."""


class Door:
    """Hands each connection to `receive`, which may raise BadFrame, Stranger or Crowded to have it closed."""

    def __init__(
        self, receive: Callable[[trio.abc.Stream], Awaitable[None]], log: Remarks, transport: Transport
    ) -> None:
        self._receive, self._log, self._transport = receive, log, transport
        self.inside = 0
        """How many connections there are."""
        self.closed: Counter[str] = Counter()
        """How many were closed, by the kind of reason: left, broken, bad frame, stranger or crowded."""

    async def welcome(self, connection: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        who = _remote(connection)
        self.inside += 1
        try:
            async with connection:
                kind, why = await self._serve(connection)
                self.closed[kind] += 1
                line = f"closed a connection from {who}: {why}"
                is_usual = kind == "left"
                self._log(Remark(line, is_usual, event="closed", remote=who, kind=kind, why=why))
        finally:
            self.inside -= 1

    async def _serve(self, connection: trio.SocketStream) -> tuple[str, str]:
        """Serve a connection until there is a reason to close it; returns its kind, and in words."""
        try:
            if self.inside > CONNECTIONS_MAX:
                raise Crowded(f"there are {CONNECTIONS_MAX} connections already")
            await self._receive(await self._transport.take(connection))
        except BadFrame as error:
            return "bad frame", str(error)
        except (Stranger, Crowded) as error:
            return type(error).__name__.lower(), str(error)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return "broken", str(error.__cause__ or error or "it broke")
        return "left", "it went away"


async def listen_at(address: Address) -> list[trio.SocketListener]:
    """Listen there. Raises: OSError, naming the address, when that can't be done."""
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror or error}") from error


def _remote(connection: trio.SocketStream) -> str:
    """Who connected."""
    try:
        host, port, *_ = connection.socket.getpeername()
    except OSError:
        return "somebody who is gone"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
