"""The learner: counts votes until a quorum has voted alike, or is told what was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from paxos_impl.core.ballot import Vote

if TYPE_CHECKING:
    from paxos_impl.core.rules import Rules

BALLOTS_COUNTED = 8
"""Of how many ballots votes are kept, the highest. Forgetting older ones delays learning at worst."""


class Tally(msgspec.Struct, frozen=True, gc=False):
    """One value at one ballot, and the acceptors known to have voted for it."""

    vote: Vote
    voters: tuple[int, ...]


class Learner(msgspec.Struct, frozen=True, gc=False):
    """What is known to be chosen, or the votes heard of until then."""

    chosen: Vote | None = None
    tallies: tuple[Tally, ...] = ()

    def hear(self, vote: Vote, voter: int, members: int, rules: Rules) -> Learner:
        """The learner after hearing of a vote; it has learned if that vote made a quorum (PMS 2.3)."""
        if self.chosen is not None:
            return self
        earlier = next((tally.voters for tally in self.tallies if tally.vote == vote), ())
        tally = Tally(vote, rules.with_voter(earlier, voter))
        if rules.is_chosen(tally.voters, members):
            return self.learn(vote)
        others = (other for other in self.tallies if other.vote != vote)
        by_ballot = sorted((*others, tally), key=lambda tally: tally.vote.ballot)
        return Learner(None, tuple(by_ballot[-BALLOTS_COUNTED:]))

    def learn(self, vote: Vote) -> Learner:
        """The learner once it knows what is chosen."""
        assert self.chosen is None or self.chosen.value == vote.value, f"{self.chosen} became {vote}"
        return Learner(self.chosen or vote)
