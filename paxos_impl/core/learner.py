"""The learner: counts votes until a quorum has voted alike, or is told what is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostrakon.paxos_impl.core.ballot import Vote

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.rules import Rules

BALLOTS_COUNTED = 8
"""For how many ballots votes are counted, the highest ones. To drop an older one can only delay learning,
because a proposer that is not answered tries a higher ballot."""


class Tally(msgspec.Struct, frozen=True, gc=False):
    """A value at a ballot, and the acceptors that are known to have voted for it."""

    vote: Vote
    voters: tuple[int, ...]


class Learner(msgspec.Struct, frozen=True, gc=False):
    """What is known to be chosen, or the votes heard of so far."""

    chosen: Vote | None = None
    tallies: tuple[Tally, ...] = ()

    def hear(self, vote: Vote, voter: int, members: int, rules: Rules) -> Learner:
        """The learner after hearing of a vote; it has learned if that vote made a quorum (PMS 2.3)."""
        if self.chosen is not None:
            return self
        voters: tuple[int, ...] = ()
        tallies: list[Tally] = []
        for tally in self.tallies:
            if tally.vote == vote:
                voters = tally.voters
            else:
                tallies.append(tally)
        voters = rules.with_voter(voters, voter)
        if rules.is_chosen(voters, members):
            return self.learn(vote)
        tallies.append(Tally(vote, voters))
        if len(tallies) > BALLOTS_COUNTED:
            tallies.remove(min(tallies, key=lambda tally: tally.vote.ballot))
        return Learner(None, tuple(tallies))

    def learn(self, vote: Vote) -> Learner:
        """The learner when it knows what is chosen."""
        assert self.chosen is None or self.chosen.value == vote.value, f"{self.chosen} became {vote}"
        return Learner(self.chosen or vote)
