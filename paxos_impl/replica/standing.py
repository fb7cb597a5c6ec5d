"""A replica's standing: what can be told of its lease."""

from __future__ import annotations

from ostrakon.paxos_impl.core.multi import Replica
from ostrakon.paxos_impl.core.multi.lease import ClockReading
from ostrakon.paxos_impl.core.multi.phase import Leading


def lease_left_s(replica: Replica, now: ClockReading) -> float | None:
    """For how much longer nobody else can lead, by what has been granted so far; None for who does not lead.

    A leader that needs nobody's grant always has a whole lease before it.
    """
    phase, rules = replica.phase, replica.rules
    if not isinstance(phase, Leading) or replica.lease_config is None:
        return None
    trusted_s = rules.trusted_s(replica.lease_config)
    granted = phase.lease.granted
    left_s = {granter: trusted_s - rules.passed_s(since, now) for granter, since in granted.items()}
    backers: tuple[int, ...] = ()
    for backer in (replica.server_id, *sorted(left_s, key=left_s.__getitem__, reverse=True)):
        backers = (*backers, backer)
        if _is_backed(replica, backers):
            return max(0.0, left_s.get(backer, trusted_s))
    return 0.0


def _is_backed(replica: Replica, backers: tuple[int, ...]) -> bool:
    """Whether these are a quorum of each configuration that is or will be in force."""
    rules = replica.rules
    return all(
        rules.is_chosen(rules.counted(each, backers), len(each.voters)) for each in replica.configurations
    )
