"""The other members of a cluster: their addresses, the links to them, and which hello to believe."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import trio

from ostrakon.paxos_impl.server.link import Link
from ostrakon.paxos_impl.server.log_record import LogSink
from ostrakon.paxos_impl.wire.decree import Hello, framed
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import Transport


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says of itself in every hello."""

    protocol: int
    cluster_id: str
    server_id: int
    incarnation: int
    address: str = ""
    """Where others find it; empty if all of them know that from the start."""
    groups: int = 1

    def hello_to(self, peer: int) -> Hello:
        """The hello that opens a connection to a peer."""
        return Hello(
            self.protocol,
            self.cluster_id,
            self.server_id,
            peer,
            self.incarnation,
            self.address,
            self.groups,
        )


class Peers:
    """A link to each peer. New peers are added when the log names them, or when they say hello."""

    def __init__(
        self,
        me: Identity,
        members: Mapping[int, Address],
        *,
        rng: Random,
        log: LogSink,
        transport: Transport,
        is_closed: bool = False,
    ) -> None:
        """`members` are those known from the start; if it `is_closed`, there will be no others."""
        self._me, self._is_closed = me, is_closed
        self._rng, self._log, self._transport = rng, log, transport
        self._nursery: trio.Nursery | None = None
        self._newest: dict[int, int] = {}
        self.addresses = dict(members)
        """Address of each server by id, this server included."""
        self.links = {
            peer: self._link(peer, address)
            for peer, address in sorted(members.items())
            if peer != me.server_id
        }
        """Link to each peer by id."""

    def run_new_links_in(self, nursery: trio.Nursery) -> None:
        """Run links to new peers in this nursery; if called again, the first nursery stays in use."""
        self._nursery = self._nursery or nursery

    def add(self, server_id: int, address: Address) -> None:
        """From now on this server is found at this address."""
        if self.addresses.get(server_id) == address or server_id == self._me.server_id:
            return
        self.addresses[server_id] = address
        self.links[server_id] = link = self._link(server_id, address)
        assert self._nursery is not None, f"server {server_id} was added before this one runs"
        self._nursery.start_soon(link.run)

    def check(self, hello: Hello, *, is_former: bool = False) -> None:
        """Check that a peer may talk to this server. `is_former` says that it was removed from the cluster.

        Raises: BadFrame.
        """
        me = self._me
        for what, theirs, ours in (
            ("speaks protocol", hello.protocol, me.protocol),
            ("belongs to cluster", hello.cluster_id, me.cluster_id),
            ("means to talk to server", hello.receiver, me.server_id),
            ("takes the number of groups to be", hello.groups, me.groups),
        ):
            if theirs != ours:
                raise BadFrame(f"server {hello.sender} {what} {theirs!r}; this is {ours!r}")
        if hello.sender == me.server_id or is_former or not self._is_known(hello):
            raise BadFrame(f"server {hello.sender} is no other member of {me.cluster_id!r}")
        newest = self._newest.get(hello.sender)
        if newest is not None and hello.incarnation < newest:
            raise BadFrame(f"server {hello.sender} has been restarted since it said this hello")
        if newest is not None and hello.incarnation > newest:
            # The peer was restarted: our open connection leads to its previous process.
            self.links[hello.sender].reconnect()
        self._newest[hello.sender] = hello.incarnation

    def _is_known(self, hello: Hello) -> bool:
        """Whether there is a link to the sender; a new sender that tells its address gets one."""
        if hello.sender not in self.links and hello.address and not self._is_closed:
            with suppress(ValueError):
                self.add(hello.sender, Address.parse(hello.address))
        return hello.sender in self.links

    def _link(self, peer: int, address: Address) -> Link:
        hello = framed(self._me.hello_to(peer))
        return Link(address, hello, self._rng, self._log, self._transport, groups=self._me.groups)
