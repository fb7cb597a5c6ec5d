"""Seeded bugs of membership changes; `log_bugs` has those of the rest of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.multi import Configuration, LogRules
from ostrakon.workloads.log_bugs import Breakage


class _InForceAtOnce(LogRules):
    def in_force_from(self, slot: int) -> int:
        return slot + 1


class _OldQuorum(LogRules):
    def in_force(self, configurations: Sequence[Configuration], slot: int) -> Configuration:
        return configurations[0]


class _CountsEveryone(LogRules):
    def counted(self, configuration: Configuration, voters: tuple[int, ...]) -> tuple[int, ...]:
        return voters


class _CountsLearners(LogRules):
    def counted(self, configuration: Configuration, voters: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(voter for voter in voters if voter in configuration.ids)


def _bugs() -> Iterator[SeededBug]:
    yield SeededBug(
        "change-in-force-at-once",
        "the members change with the next slot, though others may have been proposed ahead by then",
        Breakage(_InForceAtOnce()),
        convicted_by=("P2", "P3", "P4", "P9", "M8"),
    )
    yield SeededBug(
        "old-quorum",
        "slots of a new configuration are decided by a quorum of the old one",
        Breakage(_OldQuorum()),
        convicted_by=("P2", "P3", "P4", "P9"),
    )
    yield SeededBug(
        "counts-everyone",
        "promises and votes count, whether or not they are those of a member that has a vote",
        Breakage(_CountsEveryone()),
        # M7, because grants of leases are counted by the same rule.
        convicted_by=("P2", "P3", "P4", "P9", "M7"),
    )
    yield SeededBug(
        "learners-counted",
        "promises and votes of members without a vote count",
        Breakage(_CountsLearners()),
        # M7, because grants of leases are counted by the same rule.
        convicted_by=("P2", "P3", "P4", "P9", "M7"),
    )


MEMBERSHIP_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of membership by name."""
