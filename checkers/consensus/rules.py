"""The rules of Paxos that a trace is held to, under the names that the literature of this project gives them.

Each rule judges one event in the light of all events before it, so the same rules serve a finished trace
and one that is still growing. P2 and P3 are agreement itself. P6 to P10 and M8 are what makes agreement
inductive: they are broken long before two values are chosen, and mostly without that ever happening.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from checkers.consensus.ballots import ballots_fresh, one_value_per_ballot
from checkers.consensus.chosen import one_value_chosen
from checkers.consensus.learned import learned_is_stable, learned_was_chosen, one_value_learned
from checkers.consensus.membership import members_agreed
from checkers.consensus.origin import value_has_origin
from checkers.consensus.promises import promises_kept, promises_truthful
from checkers.consensus.proposals import proposals_safe
from checkers.consensus.seen import Seen
from checkers.verdict import Anomaly
from harness.history import Event

HARM = frozenset({"P2", "P3"})
"""The properties whose violation is disagreement."""

LATENT = frozenset({"P6", "P7", "P8", "P9", "P10", "M8"})
"""The properties whose violation is latent as long as there is no disagreement."""


class Rule(NamedTuple):
    """One property."""

    property: str
    says: str
    """What must hold, as part of a sentence."""
    kinds: tuple[str, ...]
    """The kinds of events that it judges."""
    judge: Callable[[Seen, Event], Anomaly | None]


RULES: dict[str, Rule] = {
    rule.property: rule
    for rule in (
        # Harm first: of several rules that one event breaks, the first is told.
        Rule(
            "P2",
            "one value is chosen in a slot",
            ("accept_sent", "promise_sent", "tell_sent"),
            one_value_chosen,
        ),
        Rule("P3", "all who learn a slot learn the same", ("learned",), one_value_learned),
        Rule("P1", "values come from clients", ("propose_sent", "accept_sent", "learned"), value_has_origin),
        Rule("P4", "what is learned was chosen", ("learned",), learned_was_chosen),
        Rule("P5", "what a node knows stays so", ("learned", "applied"), learned_is_stable),
        Rule(
            "P6",
            "a ballot has one proposer and one value",
            ("prepare_sent", "propose_sent"),
            one_value_per_ballot,
        ),
        Rule("P7", "promises are kept", ("promise_sent", "accept_sent"), promises_kept),
        Rule("P8", "promises tell what was accepted", ("promise_sent",), promises_truthful),
        Rule("P9", "proposals are safe", ("propose_sent",), proposals_safe),
        Rule("P10", "ballots are fresh", ("prepare_sent",), ballots_fresh),
        Rule("M8", "quorums are counted over the same members", ("config_active",), members_agreed),
    )
}
"""Every rule by the name of its property."""
