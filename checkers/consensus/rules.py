"""The rules of Paxos that a trace is held to, each under the name of its property.

Each rule judges one event in the light of all events before it, so the same rules serve a finished trace
and one that is still growing. P2 and P3 are agreement itself. P6 to P11 and M8 are what makes agreement
inductive: they are broken long before two values are chosen, and mostly without that ever happening.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ostrakon.checkers.consensus.decisions import (
    applied_is_stable,
    learned_is_stable,
    learned_was_chosen,
    one_value_learned,
    one_value_told,
    one_value_voted,
)
from ostrakon.checkers.consensus.membership import members_agreed
from ostrakon.checkers.consensus.promises import (
    promise_allowed,
    promise_truthful,
    restart_remembers,
    vote_allowed,
)
from ostrakon.checkers.consensus.proposals import (
    ballots_fresh,
    learned_has_origin,
    one_proposer_per_ballot,
    one_value_per_ballot,
    proposal_has_origin,
    proposal_safe,
    vote_has_origin,
)
from ostrakon.checkers.consensus.seen import Seen, Slot
from ostrakon.checkers.value import Key
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event

HARM = frozenset({"P2", "P3"})
"""The properties whose violation is disagreement."""

LATENT = frozenset({"P6", "P7", "P8", "P9", "P10", "P11", "M8"})
"""The properties whose violation is latent as long as there is no disagreement."""

Judge = Callable[[Seen, Event], Anomaly | None]
ValueJudge = Callable[[Seen, Event, Slot, Key], Anomaly | None]
"""Judges an event that is about a value in a slot: these two are looked up once for all rules."""


class Judges(NamedTuple):
    """What judges one property, by kind of event."""

    of_values: Mapping[str, ValueJudge] = {}
    of_others: Mapping[str, Judge] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events that it judges."""
        return (*self.of_values, *self.of_others)


RULES: dict[str, Judges] = {
    # Harm first: of several rules that one event breaks, the first is told.
    "P2": Judges(
        {"accept_sent": one_value_voted},
        {"promise_sent": one_value_told, "tell_sent": one_value_told},
    ),
    "P3": Judges({"learned": one_value_learned}),
    "P1": Judges(
        {"propose_sent": proposal_has_origin, "accept_sent": vote_has_origin, "learned": learned_has_origin},
    ),
    "P4": Judges({"learned": learned_was_chosen}),
    "P5": Judges({"learned": learned_is_stable, "applied": applied_is_stable}),
    "P6": Judges(
        {"propose_sent": one_value_per_ballot},
        {"prepare_sent": one_proposer_per_ballot},
    ),
    "P7": Judges({"accept_sent": vote_allowed}, {"promise_sent": promise_allowed}),
    "P8": Judges({}, {"promise_sent": promise_truthful}),
    "P9": Judges({"propose_sent": proposal_safe}),
    "P10": Judges({}, {"prepare_sent": ballots_fresh}),
    "P11": Judges({}, {"restart": restart_remembers}),
    "M8": Judges({}, {"config_active": members_agreed}),
}
"""Every rule by the name of its property; `ostrakon.checkers.rules` says what each one means."""
