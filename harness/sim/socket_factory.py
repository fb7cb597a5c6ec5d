"""Which sockets a simulated process can have."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import trio

from ostrakon.harness.sim.datagram_socket import DatagramSocket
from ostrakon.harness.sim.endpoint import Endpoint, fail
from ostrakon.harness.sim.stream_socket import StreamSocket

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine import Machine
    from ostrakon.harness.sim.process import Process


class SocketFactory(trio.abc.SocketFactory):
    """Makes the sockets of one machine's processes."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0
    ) -> Endpoint:
        """A new socket for the process that asks: TCP or UDP over IPv4, or a UNIX stream.

        Raises: OSError with EAFNOSUPPORT or EPROTONOSUPPORT for anything else.
        """
        process: Process = self._machine.world.kernel.current
        if type == socket.SOCK_STREAM and family in (socket.AF_INET, socket.AF_UNIX):
            return StreamSocket(process, family)
        if type == socket.SOCK_DGRAM and family == socket.AF_INET:
            return DatagramSocket(process, family)
        return fail(
            errno.EPROTONOSUPPORT if family in (socket.AF_INET, socket.AF_UNIX) else errno.EAFNOSUPPORT
        )
