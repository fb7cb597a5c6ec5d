"""Seeded bugs of the log and of its sessions: each breaks one rule, and the checkers must convict it.

They include the bugs of Basic Paxos whose rule a log has in each slot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from ostrakon.harness.sim.disk.disk import SimDisk
from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi import LOG_RULES, Batch, Cell, Fact, Log, LogRules, Promised, Voted
from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.message import Accepted
from ostrakon.paxos_impl.kv.machine import StateMachine
from ostrakon.paxos_impl.kv.sessions import OPENING, Executed, Execution, Sessions
from ostrakon.paxos_impl.server.change_log import ChangeLog
from ostrakon.paxos_impl.server.groups_server import GroupsServer
from ostrakon.paxos_impl.storage.disk import Disk, OsDisk
from ostrakon.paxos_impl.storage.group_journal import GroupJournal
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from ostrakon.workloads.bugs import DECREE_BUGS


@runtime_checkable
class ReadsClock(Protocol):
    """A state machine that reads its machine's clock, which makes it nondeterministic."""

    now_s: Callable[[], float]


class Breakage(msgspec.Struct, frozen=True):
    """The parts of a replica that a bug replaces."""

    rules: LogRules = LOG_RULES
    sessions: Callable[[StateMachine], Sessions] | None = None
    machine: Callable[[], StateMachine] | None = None
    changes: Callable[[], ChangeLog] = ChangeLog
    """The changes that watchers are told, where there is one group."""
    disk: Callable[[Disk], Disk] | None = None
    storage: type[ReplicaStorage] = ReplicaStorage
    """This where there is one group."""
    journal: Callable[..., GroupJournal] = GroupJournal
    node: type[GroupsServer] = GroupsServer
    """The two parts that servers with several groups use."""


CORRECT = Breakage()


class _PromiseOmitsChosen(LogRules):
    def reported_from(self, log: Log, from_slot: int, commit_index: int) -> Sequence[tuple[int, Vote]]:
        return super().reported_from(log, max(from_slot, commit_index + 1), commit_index)


class _HolesNotFilled(LogRules):
    def filler(self) -> Batch | None:
        return None


class _AppliesPastHoles(LogRules):
    def next_applied(self, log: Log, applied: int, learned: int) -> int | None:
        return learned if learned > applied else None


class _CommitWithoutBallot(LogRules):
    def may_learn(self, cell: Cell, ballot: object) -> bool:
        return cell.accepted is not None


class _AckBeforeQuorum(LogRules):
    def is_chosen(self, voters: tuple[int, ...], members: int) -> bool:
        return True


class _WaitsForAll(LogRules):
    def quorum(self, members: int) -> int:
        return members


class _NoCatchUp(LogRules):
    def catches_up(self) -> bool:
        return False


class _ReadsAnywhere(LogRules):
    def may_read(self, is_leader: bool) -> bool:
        return True


class _ReadsWithoutQuorum(LogRules):
    def heartbeat_for_read(self, heartbeat: int) -> int:
        return 0


class _PromiseNotPersisted(LogRules):
    def remembered(self, fact: Fact) -> Fact | None:
        return None if isinstance(fact, Promised) else fact


class _VoteNotPersisted(LogRules):
    def remembered(self, fact: Fact) -> Fact | None:
        return Promised(fact.entry.ballot) if isinstance(fact, Voted) else fact


class _ReplyBeforeFsync(LogRules):
    def release(self, persists: int) -> int | None:
        return None


class _IgnoresReportedVotes(LogRules):
    def safe_value(self, reports: Sequence[Vote | None], wanted: object) -> object:
        return wanted


class _ReportsAllButTheLast(LogRules):
    def reported_from(self, log: Log, from_slot: int, commit_index: int) -> Sequence[tuple[int, Vote]]:
        return super().reported_from(log, from_slot, commit_index)[:-1]


class _CountsStaleVotes(LogRules):
    def counts_vote(self, ballot: Ballot, accepted: Accepted) -> bool:
        return True


class _SegmentWithoutPromise(ReplicaStorage):
    async def _begin_segment(self, last: Any) -> None:
        self._promised = None
        await super()._begin_segment(last)


class _AcceptsRetriesOfOld(Sessions):
    """Executes a command again that is older than the last one of its session."""

    def execute(self, command: Command) -> Execution:
        session = self._sessions.get(command.client)
        if session is not None and OPENING < command.number < session.number:
            return Executed(self._machine.execute(command.op))
        return super().execute(command)


class _ExecutesRetriesAgain(Sessions):
    """Knows only the last command, like a leader that does not replicate its sessions."""

    def execute(self, command: Command) -> Execution:
        if command.number == OPENING or self._machine.is_query(self._machine.parse(command.op)):
            return super().execute(command)
        return Executed(self._machine.execute(command.op))


class _RenamesBeforeSync(OsDisk):
    """Renames a file before its content is durable."""

    def _sync_contents(self, descriptor: int) -> None:
        pass


def _renaming_before_sync(disk: Disk) -> Disk:
    """The code for real files with that bug; it is used on simulated files only."""
    return _RenamesBeforeSync(Path("/")) if type(disk) is SimDisk else disk


def _bugs() -> Iterator[SeededBug]:
    yield SeededBug(
        "promise-omits-chosen",
        "a promise does not tell of votes in slots that are known to be chosen",
        Breakage(_PromiseOmitsChosen()),
        convicted_by=("P8",),
    )
    yield SeededBug(
        "holes-not-filled",
        "a new leader proposes nothing in a slot that nobody reports a vote in",
        Breakage(_HolesNotFilled()),
        convicted_by=("termination", "M11"),
    )
    yield SeededBug(
        "applies-past-holes",
        "a slot is executed as soon as it is chosen, whether or not those before it are known",
        Breakage(_AppliesPastHoles()),
        convicted_by=("M2",),
    )
    yield SeededBug(
        "commit-without-ballot",
        "what a replica voted for counts as chosen once the leader says that the slot is",
        Breakage(_CommitWithoutBallot()),
        convicted_by=("P3", "P4"),
    )
    yield SeededBug(
        "ack-before-quorum",
        "the leader takes the first vote, its own, for a decision",
        Breakage(_AckBeforeQuorum()),
        convicted_by=("P4",),
    )
    yield SeededBug(
        "waits-for-all",
        "a ballot waits for every member, not for a majority: safe, and stuck as soon as one is gone",
        Breakage(_WaitsForAll()),
        convicted_by=("deadlock", "livelock"),
        plan={"liveness_s": 10.0},
    )
    yield SeededBug(
        "no-catch-up",
        "a replica that missed a slot never asks for it",
        Breakage(_NoCatchUp()),
        convicted_by=("M11",),
    )
    yield SeededBug(
        "reads-anywhere",
        "any replica answers reads from what it has executed",
        Breakage(_ReadsAnywhere()),
        convicted_by=("linearizability",),
    )
    yield SeededBug(
        "reads-without-quorum",
        "a leader answers reads without making sure that it still is one",
        Breakage(_ReadsWithoutQuorum()),
        convicted_by=("linearizability",),
    )
    yield SeededBug(
        "promise-not-persisted",
        "a restarted replica remembers its votes but not what it promised",
        Breakage(_PromiseNotPersisted()),
        convicted_by=("P11", "P7", "P10"),
    )
    yield SeededBug(
        "vote-not-persisted",
        "a restarted replica remembers what it promised but not its votes",
        Breakage(_VoteNotPersisted()),
        convicted_by=("P11", "P8"),
    )
    yield SeededBug(
        "reply-before-fsync",
        "messages leave before the state they rest on is on disk",
        Breakage(_ReplyBeforeFsync()),
        convicted_by=("P11", "P7", "P8", "P10"),
    )
    yield SeededBug(
        "ignores-reported-votes",
        "a new leader puts no-ops into all slots that are open, whatever its quorum reported",
        Breakage(_IgnoresReportedVotes()),
        convicted_by=("P9",),
    )
    yield SeededBug(
        "renames-before-sync",
        "a file takes another's place before its contents are durable",
        Breakage(disk=_renaming_before_sync),
        convicted_by=("node crashed", "P11", "P7", "P8", "P10"),
    )
    yield SeededBug(
        "executes-retries-again",
        "a command that clients sent again is executed again",
        Breakage(sessions=_ExecutesRetriesAgain),
        convicted_by=("M4", "linearizability"),
    )
    yield SeededBug(
        "old-commands-executed-again",
        "a command that arrives after a later one of its session is executed, though it was executed before",
        Breakage(sessions=_AcceptsRetriesOfOld),
        convicted_by=("M4", "linearizability"),
    )
    yield SeededBug(
        "promise-omits-last-vote",
        "a promise tells of all votes but the one in the highest slot",
        Breakage(_ReportsAllButTheLast()),
        convicted_by=("P8",),
    )
    yield SeededBug(
        "stale-votes-counted",
        "a vote at an earlier ballot of the leader's counts for what it proposes now",
        Breakage(_CountsStaleVotes()),
        convicted_by=("P4", "P3", "P2"),
    )
    yield SeededBug(
        "segment-without-promise",
        "a new segment of the log is begun without the promise, which the segments before it may hold alone",
        Breakage(storage=_SegmentWithoutPromise),
        convicted_by=("P7", "P10"),
    )


def _bugs_of_each_slot() -> Iterator[SeededBug]:
    """The bugs of Basic Paxos that are new in a log: an acceptor or a proposer that has one in each slot."""
    for name in _OF_EACH_SLOT:
        bug = DECREE_BUGS[name]
        rules: Any = type(f"{name} in a log", (type(bug.breakage), LogRules), {"__slots__": ()})()
        yield SeededBug(name, f"in each slot, {bug.about}", Breakage(rules), bug.convicted_by)


_OF_EACH_SLOT = (
    *("accept-ignores-promise", "prepare-ignores-promise", "accept-does-not-raise-promise"),
    *("adopt-last-reported", "adopt-lowest-ballot", "quorum-half", "count-replies"),
    *("ballot-without-node-id", "ballot-reuse-after-restart", "learning-lowers-promise"),
)

LOG_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in (*_bugs(), *_bugs_of_each_slot())}
"""The seeded bugs of the log by name."""
