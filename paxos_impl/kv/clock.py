"""The time of the log: the clock of state machines, the same for all replicas.

The leader stamps each command that depends on time, and the time of the log is the latest stamp. What must
always hold: between two stamps in the log, the time of the log advances by no more than real time. So a lease
lasts at least as long as its holder thinks, even if the leader changes.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot


class LogClock(msgspec.Struct, frozen=True, gc=False):
    """Translates the leader's monotonic clock to the time of the log; computed anew for each ballot.

    Monotonic clocks of different machines are unrelated, so a new leader goes on from the latest stamp that
    it knows: time without a leader does not count.
    """

    reign: Ballot | None = None
    ahead_ms: int = 0
    """Time of the log minus time of the leader's clock."""

    def at(self, reign: Ballot, own_ms: int, reached_ms: int) -> LogClock:
        """The clock for the leader of a ballot when its own clock shows `own_ms`.

        `reached_ms` is the latest stamp that the state machine has executed.
        """
        ahead_ms = reached_ms - own_ms
        return LogClock(reign, ahead_ms if reign != self.reign else max(ahead_ms, self.ahead_ms))

    def stamp(self, own_ms: int) -> int:
        """The time of the log."""
        return own_ms + self.ahead_ms
