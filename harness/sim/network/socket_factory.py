"""Which sockets a simulated process can have."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import trio

from ostrakon.harness.sim.network.datagram_socket import DatagramSocket
from ostrakon.harness.sim.network.endpoint import Endpoint, fail
from ostrakon.harness.sim.network.plain_socket import PlainSocket, plain_view
from ostrakon.harness.sim.network.stream_socket import StreamSocket

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host, Owner


class SocketFactory(trio.abc.SocketFactory):
    """Makes the sockets of one machine's processes."""

    def __init__(self, machine: Host) -> None:
        self._machine = machine

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0
    ) -> Endpoint:
        """A new socket for the process that asks: TCP or UDP over IPv4, or a UNIX socket of either kind.

        Raises: OSError with EAFNOSUPPORT or EPROTONOSUPPORT for anything else.
        """
        process: Owner = self._machine.world.kernel.current
        if type == socket.SOCK_STREAM and family in (socket.AF_INET, socket.AF_UNIX):
            return StreamSocket(process, family, proto)
        if type == socket.SOCK_DGRAM and family in (socket.AF_INET, socket.AF_UNIX):
            return DatagramSocket(process, family, proto)
        return fail(
            errno.EPROTONOSUPPORT if family in (socket.AF_INET, socket.AF_UNIX) else errno.EAFNOSUPPORT
        )

    def plain_view(self, endpoint: Endpoint) -> PlainSocket:
        """The same socket as one of the standard library."""
        return plain_view(endpoint)
