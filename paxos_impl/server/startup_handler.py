"""The request handler of a server whose cluster is not complete yet: it only tells how many have
registered."""

from __future__ import annotations

from collections.abc import Callable

from ostrakon.paxos_impl.server.client_connection import ClientConnection
from ostrakon.paxos_impl.wire.decree import Waiting


class StartupHandler:
    """Serves clients with `answer`; the dispatcher lets other servers wait meanwhile."""

    def __init__(
        self,
        read: Callable[[bytes], object],
        answer: Callable[[ClientConnection, object, Waiting], None],
        cluster_size: int,
    ) -> None:
        self._read, self._answer = read, answer
        self.waiting = Waiting(0, cluster_size)

    def set_registered(self, count: int) -> None:
        """So many servers have registered."""
        self.waiting = Waiting(count, self.waiting.cluster_size)

    def read(self, body: bytes) -> object:
        """The message in a frame. Raises: BadFrame."""
        return self._read(body)

    def refusal(self, why: str) -> object:
        """The cluster is not complete, whatever the reason."""
        return self.waiting

    def serve(self, client: ClientConnection, request: object, size: int) -> None:
        """Answer that the cluster is not complete. Raises: BadFrame."""
        self._answer(client, request, self.waiting)

    def refuse(self, client: ClientConnection, request: object, why: str) -> None:
        """The same answer: nothing would have been done anyway. Raises: BadFrame."""
        self._answer(client, request, self.waiting)
