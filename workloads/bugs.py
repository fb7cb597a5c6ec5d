"""Seeded bugs of Basic Paxos: each breaks one rule in one line, and the checkers must convict it.

They test the checkers. A rule is a small pure function of `ostrakon.paxos_impl.core.rules.Rules`, so a bug is
a subclass that overrides one rule. The implementation does not know about bugs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote, highest
from ostrakon.paxos_impl.core.effect import Durable
from ostrakon.paxos_impl.core.message import Nack, Promise
from ostrakon.paxos_impl.core.rules import Rules


class _PromiseNotPersisted(Rules):
    def durable(self, state: Durable) -> Durable:
        return Durable(state.accepted.ballot if state.accepted else None, state.accepted, state.chosen)


class _AcceptedNotPersisted(Rules):
    def durable(self, state: Durable) -> Durable:
        return Durable(state.promised, None, state.chosen)


class _ReplyBeforeFsync(Rules):
    def release(self, persists: int) -> int | None:
        return None


class _IgnoreReportedValue(Rules):
    def safe_value(self, reports: Sequence[Vote | None], wanted: Value) -> Value:
        return wanted


class _AdoptLastReported(Rules):
    def safe_value(self, reports: Sequence[Vote | None], wanted: Value) -> Value:
        votes = [vote for vote in reports if vote is not None]
        return votes[-1].value if votes else wanted


class _AdoptLowestBallot(Rules):
    def safe_value(self, reports: Sequence[Vote | None], wanted: Value) -> Value:
        votes = [vote for vote in reports if vote is not None]
        return min(votes, key=lambda vote: vote.ballot).value if votes else wanted


class _PromiseOmitsAccepted(Rules):
    def reported(self, acceptor: Acceptor) -> Vote | None:
        return None


class _QuorumHalf(Rules):
    def quorum(self, members: int) -> int:
        return max(1, members // 2)


class _PrepareIgnoresPromise(Rules):
    def may_promise(self, acceptor: Acceptor, ballot: Ballot) -> bool:
        return True


class _AcceptIgnoresPromise(Rules):
    def may_accept(self, acceptor: Acceptor, ballot: Ballot) -> bool:
        return True


class _AcceptDoesNotRaisePromise(Rules):
    def accept(self, acceptor: Acceptor, vote: Vote) -> Acceptor:
        return Acceptor(acceptor.promised, vote)


class _LearningLowersPromise(Rules):
    def promised_after_learning(self, promised: Ballot | None, chosen: Vote) -> Ballot | None:
        return chosen.ballot


class _BallotWithoutNodeId(Rules):
    def next_ballot(
        self, server_id: int, own: Ballot | None, promised: Ballot | None, seen: Ballot | None
    ) -> Ballot:
        return super().next_ballot(0, own, promised, seen)


class _BallotReuseAfterRestart(Rules):
    def next_ballot(
        self, server_id: int, own: Ballot | None, promised: Ballot | None, seen: Ballot | None
    ) -> Ballot:
        floor = highest(own, seen)
        return Ballot(1 if floor is None else floor.round + 1, server_id)


class _SameBallotNewValue(Rules):
    def resent_value(self, proposed: Value, wanted: Value) -> Value:
        return wanted


class _CountReplies(Rules):
    def with_voter(self, voters: tuple[int, ...], voter: int) -> tuple[int, ...]:
        return (*voters, voter)


class _StalePromisesCounted(Rules):
    def counts_promise(self, ballot: Ballot, reply: Promise | Nack) -> bool:
        return isinstance(reply, Promise)


class _NackCountsAsAck(Rules):
    def counts_promise(self, ballot: Ballot, reply: Promise | Nack) -> bool:
        return reply.ballot == ballot


class _LearnOnFirstAccepted(Rules):
    def is_chosen(self, voters: tuple[int, ...], members: int) -> bool:
        return True


def _bugs() -> Iterator[SeededBug]:
    yield SeededBug(
        "promise-not-persisted",
        "a restarted acceptor remembers what it accepted but not what it promised",
        _PromiseNotPersisted(),
        convicted_by=("P11", "P7", "P10"),
    )
    yield SeededBug(
        "reply-before-fsync",
        "replies leave before the state they rest on is on disk",
        _ReplyBeforeFsync(),
        convicted_by=("P11", "P7", "P8", "P10"),
    )
    yield SeededBug(
        "ignore-reported-value",
        "a proposer proposes its own value whatever its quorum reported",
        _IgnoreReportedValue(),
        convicted_by=("P9",),
    )
    yield SeededBug(
        "adopt-last-reported",
        "a proposer takes the value reported last, not that of the highest ballot",
        _AdoptLastReported(),
        convicted_by=("P9",),
    )
    yield SeededBug(
        "quorum-half",
        "half of the members count as a majority",
        _QuorumHalf(),
        convicted_by=("P4", "P9"),
    )
    yield SeededBug(
        "accept-ignores-promise",
        "an acceptor votes below the ballot that it promised",
        _AcceptIgnoresPromise(),
        convicted_by=("P7",),
    )
    yield SeededBug(
        "ballot-without-node-id",
        "ballots are bare rounds, so that two proposers may use the same one",
        _BallotWithoutNodeId(),
        convicted_by=("P6",),
    )
    yield SeededBug(
        "count-replies",
        "replies are counted, not the acceptors they come from",
        _CountReplies(),
        convicted_by=("P4", "P9"),
    )
    yield SeededBug(
        "stale-promises-counted",
        "a promise for an earlier ballot counts towards the present one",
        _StalePromisesCounted(),
        convicted_by=("P9",),
    )
    yield SeededBug(
        "ballot-reuse-after-restart",
        "a restarted proposer begins counting its ballots anew",
        _BallotReuseAfterRestart(),
        convicted_by=("P6", "P10"),
    )
    yield SeededBug(
        "accepted-not-persisted",
        "a restarted acceptor remembers what it promised but not what it accepted",
        _AcceptedNotPersisted(),
        convicted_by=("P11", "P8"),
    )
    yield SeededBug(
        "promise-omits-accepted",
        "a promise does not tell what was accepted before",
        _PromiseOmitsAccepted(),
        convicted_by=("P8",),
    )
    yield SeededBug(
        "adopt-lowest-ballot",
        "a proposer takes the value reported with the lowest ballot",
        _AdoptLowestBallot(),
        convicted_by=("P9",),
    )
    yield SeededBug(
        "prepare-ignores-promise",
        "an acceptor promises again below the ballot that it promised",
        _PrepareIgnoresPromise(),
        convicted_by=("P7",),
    )
    yield SeededBug(
        "accept-does-not-raise-promise",
        "voting at a ballot does not promise it",
        _AcceptDoesNotRaisePromise(),
        convicted_by=("P7", "P8"),
    )
    yield SeededBug(
        "learning-lowers-promise",
        "learning a value sets the promise to the ballot at which it was chosen",
        _LearningLowersPromise(),
        convicted_by=("P7",),
    )
    yield SeededBug(
        "same-ballot-new-value",
        "a proposal sent again carries another value at the same ballot",
        _SameBallotNewValue(),
        convicted_by=("P6", "P9"),
    )
    yield SeededBug(
        "nack-counts-as-ack",
        "a refusal counts as a promise that reported nothing",
        _NackCountsAsAck(),
        convicted_by=("P9",),
    )
    yield SeededBug(
        "learn-on-first-accepted",
        "a single vote passes for a decision",
        _LearnOnFirstAccepted(),
        convicted_by=("P4",),
    )


DECREE_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of Basic Paxos by name."""
