"""What can be seen of a small world as a whole, and whether it is allowed: P1, P2, P3, P4, P6 and P9.

Nothing of this depends on the order in which it was seen, except that a proposal is judged by the promises
before it. So sets suffice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ostrakon.paxos_impl.core import Ballot, Promise, Rules, Value, Vote

Cast = tuple[int, Vote]
"""An acceptor and its vote."""
Given = tuple[int, Promise]
"""An acceptor and its promise."""
Proposed = tuple[int, Ballot, Value]
"""Which node used a ballot, and for which value; for none yet, if it was only prepared."""


def voters_of(votes: Iterable[Cast]) -> dict[Vote, list[int]]:
    """The voters of each value, each once."""
    voters: dict[Vote, list[int]] = {}
    for acceptor, vote in votes:
        voters.setdefault(vote, []).append(acceptor)
    return voters


def learnable(
    votes: Iterable[Cast], members: int, rules: Rules, *, twice: bool
) -> Iterator[tuple[Vote, tuple[int, ...]]]:
    """What a node can learn that gets all votes, and whose votes it needs.

    A learner counts each vote by itself and never forgets one, so a node that gets only some of them learns
    nothing more. `twice`: each vote may arrive a second time.
    """
    for vote, acceptors in voters_of(votes).items():
        counted: tuple[int, ...] = ()
        for heard, voter in enumerate([*acceptors, *(acceptors if twice else ())], start=1):
            counted = rules.with_voter(counted, voter)
            if rules.is_chosen(counted, members):
                yield vote, tuple([*acceptors, *acceptors][:heard])
                break


def disagreement(votes: Collection[Cast], members: int, rules: Rules, *, twice: bool) -> str | None:
    """P2: two values are chosen. P3: two can be learned. P4: one can be learned that is not chosen."""
    chosen = {vote.value: vote for vote, who in voters_of(votes).items() if len(who) > members // 2}
    if len(chosen) > 1:
        return "P2"
    learned = [vote for vote, _ in learnable(votes, members, rules, twice=twice)]
    if len({vote.value for vote in learned}) > 1:
        return "P3"
    if any(vote.value not in chosen for vote in learned):
        return "P4"
    return None


def collision(used: Collection[Proposed], new: Proposed) -> bool:
    """P6: another proposer used the same ballot, or this one proposed another value at it."""
    node, ballot, value = new
    return any(
        other != node or (None not in (value, proposed) and proposed != value)
        for other, at, proposed in used
        if at == ballot
    )


def is_safe(ballot: Ballot, value: Value, promises: Sequence[Given], members: int) -> bool:
    """P9: some quorum promised the ballot, and its highest report is of this value, or there is none.

    The quorums whose highest report is at ballot b lie within the promises that report b or less, and there
    are the more of those the higher b is. So the highest report of the value decides.
    """
    given = [(who, p.accepted) for who, p in promises if p.ballot == ballot]
    if _is_quorum((who for who, report in given if report is None), members):
        return True
    adopted = max(
        (report.ballot for _, report in given if report is not None and report.value == value),
        default=None,
    )
    if adopted is None:
        return False
    return _is_quorum((who for who, report in given if report is None or report.ballot <= adopted), members)


def _is_quorum(acceptors: Iterable[int], members: int) -> bool:
    return len(set(acceptors)) > members // 2
