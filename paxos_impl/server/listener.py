"""Accepts connections up to a limit, serves each one, and logs why it was closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import trio

from ostrakon.paxos_impl.server.limits import LIMITS, Limits
from ostrakon.paxos_impl.server.log_record import LogRecord, LogSink
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import NotAuthenticated, Transport


class TooManyConnections(Exception):
    """A connection limit is reached."""


class Listener:
    """Passes each connection to `receive`.

    `receive` raises BadFrame, NotAuthenticated or TooManyConnections to have the connection closed.
    """

    def __init__(
        self,
        receive: Callable[[trio.abc.Stream], Awaitable[None]],
        log: LogSink,
        transport: Transport,
        limits: Limits = LIMITS,
    ) -> None:
        self._receive, self._log, self._transport, self._limits = receive, log, transport, limits
        self._by_host: Counter[str] = Counter()
        self.open_connections = 0
        """Number of connections now."""
        self.closed: Counter[str] = Counter()
        """Number of closed connections by reason: left, broken, bad frame, stranger or crowded."""

    async def serve_connection(self, connection: trio.SocketStream) -> None:
        """Serve one connection until it ends."""
        host, remote = _remote_address(connection)
        self.open_connections += 1
        self._by_host[host] += 1
        try:
            async with connection:
                kind, why = await self._serve(connection, host)
                self.closed[kind] += 1
                line = f"closed a connection from {remote}: {why}"
                is_debug = kind == "left"
                self._log(LogRecord(line, is_debug, event="closed", remote=remote, kind=kind, why=why))
        finally:
            self.open_connections -= 1
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]

    async def _serve(self, connection: trio.SocketStream, host: str) -> tuple[str, str]:
        """Serve a connection; return the kind of reason for which it must be closed, and a sentence."""
        try:
            limits = self._limits
            if self.open_connections > limits.connections:
                raise TooManyConnections(f"there are {limits.connections} connections already")
            if self._by_host[host] > limits.connections_per_host and not _is_loopback(host):
                raise TooManyConnections(f"{host} has {limits.connections_per_host} connections already")
            await self._receive(await self._transport.take(connection))
        except BadFrame as error:
            return "bad frame", str(error)
        except NotAuthenticated as error:
            return "stranger", str(error)
        except TooManyConnections as error:
            return "crowded", str(error)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return "broken", str(error.__cause__ or error or "it broke")
        return "left", "it went away"


async def listen_at(address: Address) -> list[trio.SocketListener]:
    """Listen at an address. Raises: OSError, which names the address."""
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror or error}") from error


def _remote_address(connection: trio.SocketStream) -> tuple[str, str]:
    """The peer's host, and its address as text."""
    try:
        host, port, *_ = connection.socket.getpeername()
    except OSError:
        return "", "a peer that is gone"
    return host, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.")
