"""Peers: whether who says hello is another member, and the newest life of it that was heard from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.link import Link
from ostrakon.paxos_impl.membership import Membership
from ostrakon.paxos_impl.wire import Hello


class Peers:
    """What one server has heard of the others' lives."""

    def __init__(
        self,
        membership: Membership,
        server_id: int,
        protocol: int,
        links: Mapping[int, Link],
        admits: Callable[[Hello], bool] | None = None,
        *,
        groups: int = 1,
    ) -> None:
        """`admits` says who may be a member; by default, those of `membership` and no others."""
        self._membership, self._me, self._protocol = membership, server_id, protocol
        self._links, self._groups = links, groups
        self._admits = admits or (lambda hello: hello.sender in membership.members)
        self._newest: dict[int, int] = {}

    def check(self, hello: Hello) -> None:
        """Whether to listen to who says this.

        Raises: BadFrame.
        """
        for what, theirs, ours in (
            ("speaks protocol", hello.protocol, self._protocol),
            ("belongs to cluster", hello.cluster_id, self._membership.cluster_id),
            ("means to talk to server", hello.receiver, self._me),
            ("takes the number of groups to be", hello.groups, self._groups),
        ):
            if theirs != ours:
                raise BadFrame(f"server {hello.sender} {what} {theirs!r}; this is {ours!r}")
        if hello.sender == self._me or not self._admits(hello):
            raise BadFrame(f"server {hello.sender} is no other member of {self._membership.cluster_id!r}")
        newest = self._newest.get(hello.sender)
        if newest is not None and hello.incarnation < newest:
            raise BadFrame(f"server {hello.sender} has been restarted since it said this hello")
        if newest is not None and hello.incarnation > newest:
            # It was restarted: what we still have open leads to the process before.
            self._links[hello.sender].reconnect()
        self._newest[hello.sender] = hello.incarnation
