"""Leases: for as long as a leader holds one nobody else can lead, and so it can answer reads by itself.

A heartbeat asks every follower to promise no ballot to anybody else for a while, and the answer says whether
it does. The follower counts from when it was asked. The leader counts from when it asked, which was earlier,
and leaves out as much as the two clocks may drift apart meanwhile. They need not show the same time.

What must always hold: while a leader holds its lease, no quorum has promised another one's higher ballot.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class ClockReading(NamedTuple):
    """What a replica's clocks show, in seconds."""

    monotonic_s: float = 0.0
    """The monotonic clock. It is never set, but may stand still while a machine is suspended."""
    wall_s: float = 0.0
    """The wall clock. It goes on, but may be set."""


class LeaseConfig(msgspec.Struct, frozen=True, gc=False):
    """How long leases are and how far clocks are trusted; the same for all replicas of a cluster."""

    length_s: float
    """For how long a follower is bound by what it grants."""
    drift: float
    """By how much a clock may be too fast or too slow: at 0.05, in 20 seconds by one second."""

    def __post_init__(self) -> None:
        if not self.length_s > 0 or not 0 <= self.drift < 1:
            raise ValueError(
                f"a lease has a length above 0 and a drift from 0 to less than 1; "
                f"not {self.length_s} s and {self.drift}"
            )


class Grant(msgspec.Struct, frozen=True, gc=False):
    """What a follower has agreed to: to promise nothing to anybody but the holder until then."""

    holder: int | None
    """None if it was forgotten who that is; then it binds against everybody."""
    until_s: float
    """By the monotonic clock: if that stands still, the follower is bound for longer."""


class Lease(msgspec.Struct, frozen=True, gc=False):
    """What a leader knows of the grants that it asked for at its ballot."""

    asked: dict[int, ClockReading] = {}  # Never changed in place.
    """By heartbeat, when it was sent."""
    granted: dict[int, ClockReading] = {}  # Never changed in place.
    """By follower, from when its last grant counts."""

    def asked_for(self, heartbeat: int, now: ClockReading, config: LeaseConfig) -> Lease:
        """Heartbeat number `heartbeat` asks for grants; grants asked for too long ago are dropped."""
        recent = {
            number: sent
            for number, sent in self.asked.items()
            if now.monotonic_s - sent.monotonic_s < config.length_s
        }
        return Lease({**recent, heartbeat: now}, self.granted)

    def granted_by(self, follower: int, since: ClockReading) -> Lease:
        """A follower has granted what counts from then on; answers may overtake each other."""
        latest = max(since, self.granted.get(follower, since))
        return Lease(self.asked, {**self.granted, follower: latest})


class LeaseRules:
    """The rules of leases. Break any one of these, and some schedule has a leader show what is old."""

    __slots__ = ()

    # The leader.

    def counts_from(self, asked: ClockReading, heard: ClockReading) -> ClockReading:
        """From when a grant counts for a leader that asked for it then, and has heard of it now.

        The follower counts from somewhere in between.
        """
        return asked

    def trusted_s(self, lease_config: LeaseConfig) -> float:
        """For how long a leader relies on a grant: its clock may be slow, and the follower's fast."""
        return lease_config.length_s * (1 - lease_config.drift) / (1 + lease_config.drift)

    def passed_s(self, since: ClockReading, now: ClockReading) -> float:
        """How much time has passed for a leader: as much as either of its clocks says.

        The monotonic clock of a machine that was suspended does not know of that. The wall clock may have
        been set forward instead: then the lease is given up for nothing, which costs a round trip.
        """
        return max(now.monotonic_s - since.monotonic_s, now.wall_s - since.wall_s)

    def holds(self, passed_s: float, trusted_s: float) -> bool:
        """Whether a leader still relies on a grant."""
        return passed_s < trusted_s

    # The follower.

    def may_grant(self, wanted_s: float, lease_config: LeaseConfig) -> bool:
        """Whether a follower grants so much: no more than it waits for after a restart."""
        return 0 < wanted_s <= lease_config.length_s

    def is_bound(self, grant: Grant | None, candidate: int, now: ClockReading) -> bool:
        """Whether a follower may neither promise a ballot nor grant a lease to this candidate yet."""
        return grant is not None and grant.holder != candidate and now.monotonic_s < grant.until_s

    def grant_at_start(self, incarnation: int, lease_config: LeaseConfig, now: ClockReading) -> Grant | None:
        """What binds a replica that begins: it may have granted anything just before it was restarted."""
        return None if incarnation == 0 else Grant(None, now.monotonic_s + lease_config.length_s)
