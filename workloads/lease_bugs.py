"""Seeded bugs of leaders, leases and reads: each breaks one rule."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.multi import ClockReading, Grant, LeaseConfig, LogRules
from ostrakon.workloads.log_bugs import Breakage

_EARLY_S = 0.2
"""How long before its end a grant is taken for over."""


class _LeadsUnanswered(LogRules):
    def may_go_on(self, is_answered: bool) -> bool:
        return True


class _LeaseFromReceipt(LogRules):
    def counts_from(self, asked: ClockReading, heard: ClockReading) -> ClockReading:
        return heard


class _LeaseOnWallClock(LogRules):
    def passed_s(self, since: ClockReading, now: ClockReading) -> float:
        return now.wall_s - since.wall_s


class _LeaseWithoutMargin(LogRules):
    def trusted_s(self, lease_config: LeaseConfig) -> float:
        return lease_config.length_s


class _LeaseSurvivesSuspension(LogRules):
    def passed_s(self, since: ClockReading, now: ClockReading) -> float:
        return now.monotonic_s - since.monotonic_s


class _LeaseForEver(LogRules):
    def holds(self, passed_s: float, trusted_s: float) -> bool:
        return True


class _GrantIgnored(LogRules):
    def is_bound(self, grant: Grant | None, candidate: int, now: ClockReading) -> bool:
        return False


class _GrantEndsEarly(LogRules):
    def is_bound(self, grant: Grant | None, candidate: int, now: ClockReading) -> bool:
        begun = None if grant is None else Grant(grant.holder, grant.until_s - _EARLY_S)
        return super().is_bound(begun, candidate, now)


class _ReadsByAHeartbeatUnderWay(LogRules):
    def heartbeat_for_read(self, heartbeat: int) -> int:
        return heartbeat


class _GrantForgottenAtRestart(LogRules):
    def grant_at_start(self, incarnation: int, lease_config: LeaseConfig, now: ClockReading) -> Grant | None:
        return None


class _ReadsBeforeItKnows(LogRules):
    def is_current(self, commit_index: int, last_reported: int) -> bool:
        return True


def _bugs() -> Iterator[SeededBug]:
    yield SeededBug(
        "leads-unanswered",
        "a leader that no quorum answers goes on telling those who hear it that it lives",
        Breakage(_LeadsUnanswered()),
        convicted_by=("M12",),
    )
    yield SeededBug(
        "lease-from-receipt",
        "a leader counts its lease from when it hears of a grant, not from when it asked",
        Breakage(_LeaseFromReceipt()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "lease-on-wall-clock",
        "a leader counts its lease by a clock that can be set",
        Breakage(_LeaseOnWallClock()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "lease-without-margin",
        "a leader relies on a lease for as long as it is granted, as if its clock were as fast as others'",
        Breakage(_LeaseWithoutMargin()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "lease-survives-suspension",
        "a leader counts its lease by a clock that stands still while it is suspended",
        Breakage(_LeaseSurvivesSuspension()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "lease-for-ever",
        "a leader that has had a lease reads by it until it hears that it leads no more",
        Breakage(_LeaseForEver()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "grant-ignored",
        "a replica promises to others what it granted a leader that it would not",
        Breakage(_GrantIgnored()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "grant-forgotten-at-restart",
        "a restarted replica promises at once, whatever lease it may have granted before",
        Breakage(_GrantForgottenAtRestart()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "grant-ends-early",
        "a replica promises to others some time before the lease is over that it granted",
        Breakage(_GrantEndsEarly()),
        convicted_by=("M7", "linearizability"),
    )
    yield SeededBug(
        "reads-by-heartbeat-under-way",
        "a leader answers a read once a heartbeat is answered that it had sent before the read came",
        Breakage(_ReadsByAHeartbeatUnderWay()),
        convicted_by=("linearizability", "M13"),
    )
    yield SeededBug(
        "reads-before-it-knows",
        "a new leader answers reads before it knows what its promises told it of is chosen",
        Breakage(_ReadsBeforeItKnows()),
        convicted_by=("linearizability", "M13"),
    )


LEASE_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of leaders by name."""
