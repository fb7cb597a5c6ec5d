"""The neighbours of a replica: the other members, where each is found, and the links to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import trio

from ostrakon.paxos_impl.link import Link
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.peers import Peers
from ostrakon.paxos_impl.remark import Remarks
from ostrakon.paxos_impl.replica.config import ReplicaConfig
from ostrakon.paxos_impl.replica.wire import PROTOCOL
from ostrakon.paxos_impl.server import link_to
from ostrakon.paxos_impl.wire import Hello


class Neighbours:
    """Grows as the log tells of new members, or as they say hello themselves."""

    def __init__(
        self,
        config: ReplicaConfig,
        incarnation: int,
        is_former: Callable[[int], bool],
        *,
        rng: Random,
        log: Remarks,
    ) -> None:
        """`is_former` says of a server whether it was a member and is none any more."""
        self._config, self._incarnation, self._is_former = config, incarnation, is_former
        self._rng, self._log = rng, log
        self._nursery: trio.Nursery | None = None
        self.me, self.membership = config.server_id, config.membership
        self.addresses = dict(self.membership.members)
        self.links = {
            peer: self._link(peer, self.addresses[peer]) for peer in self.membership.ids if peer != self.me
        }
        self.peers = Peers(self.membership, self.me, PROTOCOL, self.links, self._admits, groups=config.groups)

    def live_in(self, nursery: trio.Nursery) -> None:
        """Links to who is new are to run there; whoever says so first is heeded."""
        self._nursery = self._nursery or nursery

    def meet(self, server_id: int, address: Address) -> None:
        """From now on, a server is found there."""
        if self.addresses.get(server_id) == address or server_id == self.me:
            return
        self.addresses[server_id] = address
        self.links[server_id] = link = self._link(server_id, address)
        assert self._nursery is not None, f"server {server_id} was met before this one runs"
        self._nursery.start_soon(link.run)

    def _admits(self, hello: Hello) -> bool:
        """Whether who says this may be a member: one that is not known yet, but can be found, may be new."""
        if self._is_former(hello.sender):
            return False
        if hello.sender not in self.links and hello.address:
            with suppress(ValueError):
                self.meet(hello.sender, Address.parse(hello.address))
        return hello.sender in self.links

    def _link(self, peer: int, address: Address) -> Link:
        return link_to(
            peer,
            address,
            me=self.me,
            membership=self.membership,
            protocol=PROTOCOL,
            incarnation=self._incarnation,
            rng=self._rng,
            log=self._log,
            transport=self._config.transport,
            found_at=str(self.addresses[self.me]),
            groups=self._config.groups,
        )
