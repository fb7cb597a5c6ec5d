"""What a node did wrong, in one sentence, with the events that show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ostrakon.checkers.consensus.phrases import ballot_text, names_text
from ostrakon.checkers.consensus.recovered import Recovered
from ostrakon.checkers.consensus.seen import Proposal, reported
from ostrakon.checkers.value import value_text
from ostrakon.harness.history import Event

BlameClass = Literal["A", "B", "C", "D", "E", "F"]
Role = Literal["acceptor", "proposer", "learner", "members"]


@dataclass(frozen=True, slots=True)
class BlameFinding:
    """A fault of one of the six classes that `blame` tells apart."""

    kind: BlameClass
    rule: str
    """The property that was broken: "P7", "P9", ..."""
    role: Role
    guilty: tuple[str, ...]
    """The nodes at fault."""
    why: str
    """One sentence."""
    evidence: tuple[Event, ...]
    """The events that show the fault; the excerpt of the trace begins with them."""
    restarted: bool = False
    """Whether a node at fault restarted between the event that bound it and the one that broke the rule."""


def no_quorum(proposed: Event, promisers: Iterable[str]) -> BlameFinding:
    """A: the proposer went ahead with too few promises."""
    why = f"{_proposal(proposed)} when only {names_text(promisers)} had promised that, which is no quorum"
    return BlameFinding("A", "P9", "proposer", (proposed.node,), why, (proposed,))


def quorums_apart(
    chosen: Proposal, proposed: Event, promises: Sequence[Event], views: Sequence[Event]
) -> BlameFinding:
    """A: both quorums are quorums to those who counted them, but not of the same members."""
    why = (
        f"{names_text(chosen.votes)} chose {value_text(chosen.value)} and "
        f"{names_text({promise.node for promise in promises})} allowed {value_text(proposed.value)}: "
        f"quorums were counted over {len(views)} different sets of members, and these two do not intersect"
    )
    guilty = tuple(sorted({view.node for view in views}))
    return BlameFinding("A", "M8", "members", guilty, why, (*views, proposed))


def learned_early(learned: Event, votes: Sequence[Event]) -> BlameFinding:
    """A: the learner took a value for chosen when it was not, or executed it as if it were."""
    did, rule = ("executed", "M1") if learned.event == "applied" else ("learned", "P4")
    why = (
        f"{learned.node} {did} {value_text(learned.value)} when only "
        f"{names_text({vote.node for vote in votes})} had voted for it, which is no quorum"
    )
    return BlameFinding("A", rule, "learner", (learned.node,), why, (learned, *votes))


def unproposed_vote(proposal: Proposal) -> BlameFinding:
    """B: acceptors voted for what nobody had proposed."""
    guilty = tuple(sorted(proposal.votes))
    why = (
        f"{names_text(guilty)} voted for {value_text(proposal.value)} at ballot "
        f"{ballot_text(proposal.ballot)}, which nobody had proposed"
    )
    return BlameFinding("B", "P1", "acceptor", guilty, why, tuple(proposal.votes.values()))


def broken_promise(promise: Event, vote: Event, voted_at: str, restarts: Sequence[Event]) -> BlameFinding:
    """B: the acceptor voted below its promise; `restarts` are those in between."""
    why = f"{vote.node} promised ballot {ballot_text(promise.ballot)} and then voted at the lower {voted_at}"
    bound = promise.ballot or (0, 0)
    if restarts and all(bound <= (restart.promised or (0, 0)) for restart in restarts):
        fate = "after which it still knew of its promise"
    else:
        fate = "in which its promise was lost or lowered"
    return _acceptor("B", why, fate, promise, vote, restarts)


def vote_overtaken(vote: Event, lower: Event, restarts: Sequence[Event]) -> BlameFinding:
    """B: the acceptor voted below its own vote, and so lost the higher one; `restarts` came in between."""
    why = (
        f"{vote.node} voted at ballot {ballot_text(vote.ballot)} and then at the lower "
        f"{ballot_text(lower.ballot)}, which took the place of the first"
    )
    return _acceptor("B", why, "in which what it had accepted was lost", vote, lower, restarts)


def vote_hidden(chosen: Proposal, promise: Event, slot: int, restarts: Sequence[Event]) -> BlameFinding:
    """C: the acceptor did not tell of its vote; `restarts` are those in between."""
    vote = chosen.votes[promise.node]
    report = reported(promise, slot)
    told = "no vote" if report is None else f"only a vote at {ballot_text(report[1])}"
    why = (
        f"{vote.node} had voted for {value_text(chosen.value)} at ballot {ballot_text(chosen.ballot)} "
        f"and reported {told} when it promised {ballot_text(promise.ballot)}"
    )
    if restarts and all(_holds(restart, chosen, slot) for restart in restarts):
        fate = "after which it still knew of its vote"
    else:
        fate = "in which its vote was lost"
    return _acceptor("C", why, fate, vote, promise, restarts)


def report_ignored(chosen: Proposal, proposed: Event, reporting: Sequence[Event]) -> BlameFinding:
    """D: the proposer was told of another value."""
    why = (
        f"{_proposal(proposed)}, though the promises for it told of votes that bound it to another value, "
        f"{value_text(chosen.value)}"
    )
    return BlameFinding("D", "P9", "proposer", (proposed.node,), why, (proposed, *reporting))


def ballot_reused(earlier: Event, later: Event, restarts: Sequence[Event]) -> BlameFinding:
    """E: one ballot, two values; `restarts` are those of the proposer in between, if it is only one."""
    ballot, one, two = ballot_text(earlier.ballot), value_text(earlier.value), value_text(later.value)
    restarted = earlier.node == later.node and _is_another_life(earlier, later, restarts)
    if earlier.node != later.node:
        why = f"{earlier.node} and {later.node} both used ballot {ballot}, for {one} and for {two}"
    else:
        after = " after a restart that made it forget the first" if restarted else ""
        why = f"{earlier.node} used ballot {ballot} for two values, {one} and{after} {two}"
    guilty = tuple(sorted({earlier.node, later.node}))
    return BlameFinding("E", "P6", "proposer", guilty, why, (earlier, later), restarted)


def votes_forgotten(chosen: Proposal, quorum: Sequence[Event], restarts: Mapping[str, Event]) -> BlameFinding:
    """F: acceptors of the quorum that chose a value were restarted, by name here, without their votes."""
    guilty = tuple(sorted(restarts))
    why = (
        f"{names_text(vote.node for vote in quorum)} had chosen {value_text(chosen.value)} at ballot "
        f"{ballot_text(chosen.ballot)}, and {names_text(guilty)} restarted without that vote"
    )
    return BlameFinding("F", "M5", "acceptor", guilty, why, (*restarts.values(), *quorum), restarted=True)


def _holds(restart: Event, chosen: Proposal, slot: int) -> bool:
    return Recovered.by(restart).holds(slot, chosen.ballot, chosen.key)


def _acceptor(
    kind: Literal["B", "C"], why: str, fate: str, bound: Event, broke: Event, restarts: Sequence[Event]
) -> BlameFinding:
    """An acceptor that did not go by what it had said; `fate` tells what a restart had to do with it."""
    restarted = _is_another_life(bound, broke, restarts)
    rule = "P7" if kind == "B" else "P8"
    between = f"a restart lay between, {fate}" if restarted else "no restart lay between"
    return BlameFinding(kind, rule, "acceptor", (broke.node,), f"{why}; {between}", (bound, broke), restarted)


def _is_another_life(earlier: Event, later: Event, restarts: Sequence[Event]) -> bool:
    """Whether a node was restarted between two of its events.

    A node that has lost its disk may have two lives with the same incarnation number.
    """
    return bool(restarts) or earlier.incarnation != later.incarnation


def _proposal(proposed: Event) -> str:
    return f"{proposed.node} proposed {value_text(proposed.value)} at ballot {ballot_text(proposed.ballot)}"
