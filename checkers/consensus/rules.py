"""The rules of Paxos that a trace is held to, each under the name of its property.

Each rule judges one event in the light of all events before it, so the same rules serve a finished trace
and one that is still growing. P2 and P3 are agreement itself. P6 to P10 and M8 are what makes agreement
inductive: they are broken long before two values are chosen, and mostly without that ever happening.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ostrakon.checkers.consensus.ballots import ballots_fresh, one_proposer_per_ballot, one_value_per_ballot
from ostrakon.checkers.consensus.chosen import one_value_told, one_value_voted
from ostrakon.checkers.consensus.learned import (
    applied_is_stable,
    learned_is_stable,
    learned_was_chosen,
    one_value_learned,
)
from ostrakon.checkers.consensus.membership import members_agreed
from ostrakon.checkers.consensus.origin import learned_has_origin, proposal_has_origin, vote_has_origin
from ostrakon.checkers.consensus.promises import promise_allowed, promise_truthful, vote_allowed
from ostrakon.checkers.consensus.proposals import proposal_safe
from ostrakon.checkers.consensus.seen import Seen, Slot
from ostrakon.checkers.value import Key
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event

HARM = frozenset({"P2", "P3"})
"""The properties whose violation is disagreement."""

LATENT = frozenset({"P6", "P7", "P8", "P9", "P10", "M8"})
"""The properties whose violation is latent as long as there is no disagreement."""

Judge = Callable[[Seen, Event], Anomaly | None]
ValueJudge = Callable[[Seen, Event, Slot, Key], Anomaly | None]
"""Judges an event that is about a value in a slot: these two are looked up once for all rules."""


class Rule(NamedTuple):
    """One property, and what judges it by kind of event."""

    says: str
    """What must hold."""
    of_values: Mapping[str, ValueJudge] = {}
    of_others: Mapping[str, Judge] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events that it judges."""
        return (*self.of_values, *self.of_others)


RULES: dict[str, Rule] = {
    # Harm first: of several rules that one event breaks, the first is told.
    "P2": Rule(
        "one value is chosen in a slot",
        {"accept_sent": one_value_voted},
        {"promise_sent": one_value_told, "tell_sent": one_value_told},
    ),
    "P3": Rule("all who learn a slot learn the same", {"learned": one_value_learned}),
    "P1": Rule(
        "values come from clients",
        {"propose_sent": proposal_has_origin, "accept_sent": vote_has_origin, "learned": learned_has_origin},
    ),
    "P4": Rule("what is learned was chosen", {"learned": learned_was_chosen}),
    "P5": Rule("what a node knows stays so", {"learned": learned_is_stable, "applied": applied_is_stable}),
    "P6": Rule(
        "a ballot has one proposer and one value",
        {"propose_sent": one_value_per_ballot},
        {"prepare_sent": one_proposer_per_ballot},
    ),
    "P7": Rule("promises are kept", {"accept_sent": vote_allowed}, {"promise_sent": promise_allowed}),
    "P8": Rule("promises tell what was accepted", {}, {"promise_sent": promise_truthful}),
    "P9": Rule("proposals are safe", {"propose_sent": proposal_safe}),
    "P10": Rule("ballots are fresh", {}, {"prepare_sent": ballots_fresh}),
    "M8": Rule("quorums are counted over the same members", {}, {"config_active": members_agreed}),
}
"""Every rule by the name of its property."""
