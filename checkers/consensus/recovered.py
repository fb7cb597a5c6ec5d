"""What a node still knows when it is started again, as its `restart` tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostrakon.checkers.consensus.seen import Ballot
from ostrakon.checkers.value import Key, canonical
from ostrakon.harness.history import Event


@dataclass(frozen=True, slots=True)
class Recovered:
    """The votes and decisions that a restart found on disk."""

    votes: Mapping[int, tuple[Ballot, Key]]
    """By slot, the vote with the highest ballot."""
    decided: Mapping[int, Key]
    """What it knows to be chosen in single slots."""
    upto: int
    """It knows all slots up to this one to be chosen, and what they hold; -1 if it does not say."""

    @classmethod
    def by(cls, restart: Event) -> Recovered:
        """What this `restart` tells: `accepted`, and in its detail `chosen_upto` or, of a slot, `chosen`."""
        detail: Mapping[str, Any] = restart.detail if isinstance(restart.detail, Mapping) else {}
        votes = {slot: (ballot, canonical(value)) for slot, ballot, value in restart.accepted}
        chosen, upto = detail.get("chosen"), detail.get("chosen_upto")
        decided = {} if chosen is None else {restart.slot or 0: canonical(chosen)}
        return cls(votes, decided, -1 if upto is None else upto)

    def holds(self, slot: int, ballot: Ballot, key: Key) -> bool:
        """Whether it knows of a vote for this value at this ballot or above, or that the value is chosen."""
        if slot <= self.upto or self.decided.get(slot) == key:
            return True
        at, value = self.votes.get(slot, ((-1, 0), ""))
        return value == key and at >= ballot
