"""How a TCP connection begins: request, answer, confirmation, any of which may be lost."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.network.endpoint import UNIX, Address
from ostrakon.harness.sim.network.half_connection import Mark
from ostrakon.harness.sim.network.resolver import is_loopback

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host
    from ostrakon.harness.sim.network.link import Link
    from ostrakon.harness.sim.network.stream_socket import StreamSocket

RETRY_NS = 1_000_000_000
"""The time until a request without an answer is first repeated; it doubles each time."""
RETRIES = 6
UNREACHABLE_NS = 3_000_000_000
"""The time until a request to an address that no machine has is given up."""


class Handshake:
    """Opens one connection for a client's socket."""

    def __init__(self, client: StreamSocket, address: Address) -> None:
        self._client, self._address = client, address
        self._network = client.machine.world.network
        self._kernel = self._network.kernel
        self._tries = 0
        self._answered = False

    def send_request(self) -> None:
        """Send SYN, and again if no answer comes."""
        client, ip = self._client, self._address[0]
        if self._is_over:
            return
        is_local = ip == UNIX or is_loopback(ip)
        server = client.machine if is_local else self._network.machine_at(ip)
        if server is None:
            self._later(UNREACHABLE_NS, client.break_with, errno.EHOSTUNREACH)
        elif self._tries > RETRIES:
            client.break_with(errno.ETIMEDOUT)
        else:
            self._later(RETRY_NS << self._tries, self.send_request)
            self._tries += 1
            self._send(client.machine, server, self._request_arrives, server)

    @property
    def _is_over(self) -> bool:
        return self._answered or self._client.closed or self._client.broken

    def _request_arrives(self, server: Host) -> None:
        if self._is_over:
            return
        listener = server.ports.listener_at(*self._address, client=self._client.local)
        if listener is None and self._address == self._client.local and server is self._client.machine:
            self._meet_itself()
        elif listener is None:
            self._send(server, self._client.machine, self._refusal_arrives)
        elif not listener.is_full:  # Else it is dropped, and sent again.
            self._send(server, self._client.machine, self._answer_arrives, listener)

    def _refusal_arrives(self) -> None:
        if not self._is_over:
            self._answered = True
            self._client.break_with(errno.ECONNREFUSED)

    def _meet_itself(self) -> None:
        """A socket that connects to its own address is both ends of the connection (RFC 9293, 3.5)."""
        self._answered = True
        self._client.join(self._client, remote=self._address)
        self._client.established()

    def _answer_arrives(self, listener: StreamSocket) -> None:
        if self._is_over:
            return
        self._answered = True
        client, server = self._client, listener.sibling(self._address)
        client.join(server, remote=self._address)
        server.join(client, remote=client.local, listener=listener)
        client.out.mark(Mark.OPEN)
        client.established()

    def _send(self, sender: Host, receiver: Host, arrive: Callable[..., None], *args: Any) -> None:
        link = self._network.link_between(sender, receiver)
        if link.down:
            link.count_cut()
        else:
            self._later(link.draw_ns(), self._pass, link, arrive, args)

    def _pass(self, link: Link, arrive: Callable[..., None], args: tuple[Any, ...]) -> None:
        if link.down:
            link.count_cut()
        else:
            arrive(*args)

    def _later(self, delay_ns: int, call: Callable[..., object], *args: Any) -> None:
        self._kernel.call_at(self._kernel.now_ns + delay_ns, call, *args)
