"""Stable storage, as a replica sees it: whoever writes the log for it, and wherever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ostrakon.paxos_impl.core.multi import Fact, Image, Recovered


class StableStorage(Protocol):
    """What outlives the replica (PMS 2.5)."""

    @property
    def incarnation(self) -> int:
        """How often it was started before."""

    @property
    def state(self) -> Recovered:
        """What was found at start-up."""

    async def save(self, facts: Sequence[Fact]) -> None:
        """Add to what is to be found after a restart; durable on return.

        Raises: StorageFailed.
        """

    async def save_snapshot(self, image: Image) -> None:
        """Have the log go on from this snapshot, unless it does from a newer one; durable on return.

        Raises: StorageFailed.
        """
