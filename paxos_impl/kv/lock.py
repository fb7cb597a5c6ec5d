"""Locks with leases, by the time of the log, and a fencing token for each grant.

What must always hold: a lock has at most one holder at a time, and each grant has a higher token than all
grants before it. A holder that was suspended cannot know that its lease has expired; an operation that must
not be done by such a holder checks the token (`Guarded`), not a clock.
"""

from __future__ import annotations

import msgspec


class Lock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A lock that has been granted at least once."""

    token: int = 0
    """Token of the last grant."""
    holder: str | None = None
    """Holder of the last grant; None if it was released."""
    until_ms: int = 0
    """Up to and including this time of the log, no other holder can get the lock."""

    def granted(self, holder: str, lease_ms: int, now_ms: int) -> Lock | None:
        """The lock after it was granted to this holder; None if another holder has it."""
        if self.holder == holder and now_ms <= self.until_ms:
            return Lock(self.token, holder, max(self.until_ms, later(now_ms, lease_ms)))
        if self.holder is not None and now_ms <= self.until_ms:
            return None
        return Lock(self.token + 1, holder, later(now_ms, lease_ms))

    def is_held_by(self, token: int) -> bool:
        """Whether this is the token of the last grant, and the lock was not released."""
        return self.holder is not None and self.token == token

    def released(self) -> Lock:
        """The lock after its release."""
        return Lock(self.token)


TIME_MS_MAX = 2**63 - 1
"""The latest time that a snapshot can hold; no lease ends later."""


def later(now_ms: int, lease_ms: int) -> int:
    """The time at which a lease ends that begins now."""
    return min(now_ms + lease_ms, TIME_MS_MAX)
