"""Locks that are held for a while: leases, by the time of the log, and a fencing token for each grant.

What must always hold: no two have a lock at the same time, and each grant has a token higher than all
grants before it. A holder that was asleep for too long cannot know that its lease has run out; whoever
is to be protected from it looks at the token (`Guarded`), not at a clock.
"""

from __future__ import annotations

import msgspec


class Lock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A lock that has been granted at least once."""

    token: int = 0
    """That of the last grant."""
    holder: str | None = None
    """Whose the last grant was; None if it was given back."""
    until_ms: int = 0
    """Up to and including this time by the log it is nobody else's."""

    def granted(self, holder: str, lease_ms: int, now_ms: int) -> Lock | None:
        """The lock once this client has it; None if it can't."""
        if self.holder == holder and now_ms <= self.until_ms:
            return Lock(self.token, holder, max(self.until_ms, now_ms + lease_ms))
        if self.holder is not None and now_ms <= self.until_ms:
            return None
        return Lock(self.token + 1, holder, now_ms + lease_ms)

    def is_held_by(self, token: int) -> bool:
        """Whether the grant of this token is the last one, and was not given back."""
        return self.holder is not None and self.token == token

    def released(self) -> Lock:
        """The lock once it was given back."""
        return Lock(self.token)
