"""The time of the log: what state machines go by, so that it is the same for all replicas.

The leader stamps what depends on time as it takes it up, and what time it is, is what the latest stamp says.
What must always hold: between two stamps that become part of the log no more time passes by the log than
has truly passed. So a lease lasts at least as long as its holder thinks, whoever leads meanwhile.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot


class LogClock(msgspec.Struct, frozen=True, gc=False):
    """How the own monotonic clock translates into the time of the log. It begins again with each reign.

    Clocks of different machines have nothing to do with each other, and so a new leader goes on from the
    latest time that it knows of: what passed while nobody led does not count.
    """

    reign: Ballot | None = None
    ahead_ms: int = 0
    """How much later it is by the log than by the own clock."""

    def at(self, reign: Ballot, own_ms: int, reached_ms: int) -> LogClock:
        """The clock as the leader of a ballot goes by it when the own clock shows `own_ms`.

        `reached_ms` is the latest stamp that the state machine has executed.
        """
        ahead_ms = reached_ms - own_ms
        return LogClock(reign, ahead_ms if reign != self.reign else max(ahead_ms, self.ahead_ms))

    def stamp(self, own_ms: int) -> int:
        """The time by the log."""
        return own_ms + self.ahead_ms
