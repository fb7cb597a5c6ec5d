"""Leases: while a leader holds one, nobody else can lead, so it can answer reads alone.

A heartbeat asks each follower to promise no ballot to another candidate for a while, and the response says
whether it does (Paxos Made Live, 5.2: master leases). The follower counts this time from when the heartbeat
arrived. The leader counts from when it sent the heartbeat, which was earlier, and subtracts how far two
clocks may drift apart meanwhile. So clocks need to run at nearly the same rate; they may show any time.

What must always hold: while a leader holds its lease, no quorum has promised a higher ballot to another one.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class ClockReading(NamedTuple):
    """What the clocks of a replica's machine show, in seconds."""

    monotonic_s: float = 0.0
    """The monotonic clock. It is never set. It may stand still while the machine is suspended."""
    wall_s: float = 0.0
    """The wall clock. It goes on while the machine is suspended. It may be set."""


class LeaseConfig(msgspec.Struct, frozen=True, gc=False):
    """How long leases are, and how far clocks are trusted. Equal for all replicas of a cluster."""

    length_s: float
    """How long a grant binds a follower."""
    drift: float
    """How far the rate of a clock may be off: 0.05 means one second in 20."""

    def __post_init__(self) -> None:
        if not self.length_s > 0 or not 0 <= self.drift < 1:
            raise ValueError(
                f"a lease has a length above 0 and a drift from 0 to less than 1; "
                f"not {self.length_s} s and {self.drift}"
            )


class Grant(msgspec.Struct, frozen=True, gc=False):
    """A follower's agreement to promise nothing to any candidate but the holder until a certain time."""

    holder: int | None
    """None if a restart has made the follower forget the holder. Then nobody is promised anything."""
    until_s: float
    """A time of the monotonic clock. If that clock stands still, the follower is bound for longer."""


class Lease(msgspec.Struct, frozen=True, gc=False):
    """What a leader knows of the grants for its ballot."""

    asked: dict[int, ClockReading] = {}  # Never changed in place.
    """By number of a heartbeat, when it was sent."""
    granted: dict[int, ClockReading] = {}  # Never changed in place.
    """By follower, from when its newest grant counts."""

    def asked_for(self, heartbeat: int, now: ClockReading, config: LeaseConfig) -> Lease:
        """Heartbeat number `heartbeat` asks for grants; grants asked for too long ago are dropped."""
        recent = {
            number: sent
            for number, sent in self.asked.items()
            if now.monotonic_s - sent.monotonic_s < config.length_s
        }
        return Lease({**recent, heartbeat: now}, self.granted)

    def granted_by(self, follower: int, since: ClockReading) -> Lease:
        """The lease with a follower's grant. Responses may overtake each other, so the newest grant stays."""
        latest = max(since, self.granted.get(follower, since))
        return Lease(self.asked, {**self.granted, follower: latest})


class LeaseRules:
    """The rules of leases. If any one is broken, some schedule makes a leader answer with old data."""

    __slots__ = ()

    # The leader.

    def counts_from(self, asked: ClockReading, heard: ClockReading) -> ClockReading:
        """From when a grant counts, which the leader asked for at `asked` and heard of at `heard`.

        It counts from `asked`: the follower counts from some moment between the two.
        """
        return asked

    def trusted_s(self, lease_config: LeaseConfig) -> float:
        """How long a leader relies on a grant: its clock may be slow, and the follower's fast."""
        return lease_config.length_s * (1 - lease_config.drift) / (1 + lease_config.drift)

    def passed_s(self, since: ClockReading, now: ClockReading) -> float:
        """How much time has passed for a leader: the larger of what its two clocks say.

        The monotonic clock alone would be wrong after its machine was suspended. The wall clock may have been
        set forward; then the lease is given up without need, which costs a round trip and is safe.
        """
        return max(now.monotonic_s - since.monotonic_s, now.wall_s - since.wall_s)

    def holds(self, passed_s: float, trusted_s: float) -> bool:
        """Whether a leader still relies on a grant of this age."""
        return passed_s < trusted_s

    # The follower.

    def may_grant(self, wanted_s: float, lease_config: LeaseConfig) -> bool:
        """Whether a follower grants a lease of this length: none is longer than its wait at start-up."""
        return 0 < wanted_s <= lease_config.length_s

    def is_bound(self, grant: Grant | None, candidate: int, now: ClockReading) -> bool:
        """Whether a grant forbids a follower to promise a ballot or to grant a lease to this candidate."""
        return grant is not None and grant.holder != candidate and now.monotonic_s < grant.until_s

    def grant_at_start(self, incarnation: int, lease_config: LeaseConfig, now: ClockReading) -> Grant | None:
        """The grant that binds a replica at start-up.

        After a restart it may have granted a lease just before, to anybody. Grants are not durable: to wait
        once is cheaper than to sync the disk at every heartbeat.
        """
        return None if incarnation == 0 else Grant(None, now.monotonic_s + lease_config.length_s)
