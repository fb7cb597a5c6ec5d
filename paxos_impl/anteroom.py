"""The anteroom: the desk of a server that does not know its cluster yet, and can only say how far it is."""

from __future__ import annotations

from collections.abc import Callable

from ostrakon.paxos_impl.visitor import Visitor
from ostrakon.paxos_impl.wire import Waiting


class Anteroom:
    """Serves clients by `answer`; other servers are kept waiting by the reception until it is open."""

    def __init__(
        self,
        read: Callable[[bytes], object],
        answer: Callable[[Visitor, object, Waiting], None],
        cluster_size: int,
    ) -> None:
        self._read, self._answer = read, answer
        self.waiting = Waiting(0, cluster_size)

    def note(self, registered: int) -> None:
        """So many have registered by now."""
        self.waiting = Waiting(registered, self.waiting.cluster_size)

    def read(self, body: bytes) -> object:
        """See `Desk`."""
        return self._read(body)

    def serve(self, visitor: Visitor, request: object, size: int) -> None:
        """See `Desk`."""
        self._answer(visitor, request, self.waiting)

    def turn_away(self, visitor: Visitor, request: object, why: str) -> None:
        """See `Desk`; nothing would have been done for it anyway."""
        self._answer(visitor, request, self.waiting)
