"""Find the guilty when a slot was decided twice: by the intersection of the quorums that should have met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from checkers.consensus import charge as charges
from checkers.consensus.charge import Charge
from checkers.consensus.graphs import derivation, votes
from checkers.consensus.order import in_order
from checkers.consensus.proposals import support
from checkers.consensus.seen import Ballot, Proposal, Seen, Slot, reported
from checkers.consensus.story import Story, tell
from checkers.consensus.wording import ballot_text
from checkers.value import value_text
from harness.history import Event, Trace


@dataclass(frozen=True, slots=True)
class _Split:
    """Two values chosen in one slot, and where they parted."""

    chosen: Proposal
    """The chosen proposal with the lowest ballot."""
    rival: Proposal
    """The lowest proposal at or above that ballot with another value: the first that is unsafe."""
    harm: Proposal
    """The lowest chosen proposal with another value."""


class Inquest:
    """One slot of a trace, all of which has been `seen`."""

    def __init__(self, trace: Trace, seen: Seen, slot: int) -> None:
        self._trace, self._seen, self._number = in_order(trace), seen, slot
        self._slot = seen.slots.get(slot, Slot())
        self._position = {id(event): at for at, event in enumerate(self._trace)}

    def charge(self) -> Charge | None:
        """What is wrong; None if the slot was decided once, or if nobody can be charged."""
        if self._split is not None:
            return self._charge_for(self._split)
        return self._hasty_learner() if len(self._slot.learned) > 1 else None

    def story(self, charge: Charge) -> Story:
        """What convicts the guilty, what led there, and what came of it."""
        events = [*charge.evidence, *self._background(charge)]
        return tell(self._trace, self._position, events)

    def lineage(self) -> tuple[str, ...]:
        """How the unsafe value went from proposal to proposal until it was chosen."""
        if self._split is None:
            return ()
        import networkx as nx

        start, end = ((proposal.ballot, proposal.key) for proposal in (self._split.rival, self._split.harm))
        graph = derivation(self._seen, self._number)
        path = nx.shortest_path(graph, start, end) if nx.has_path(graph, start, end) else [start, end]
        proposals = [self._slot.proposals[vertex] for vertex in dict.fromkeys(path)]
        return tuple(f"{ballot_text(p.ballot)}={value_text(p.value)}" for p in proposals)

    @cached_property
    def _split(self) -> _Split | None:
        graph = votes(self._seen, self._number)
        decided = [
            self._slot.proposals[vertex]
            for vertex in sorted(self._slot.proposals, key=lambda vertex: vertex[0])
            if self._seen.membership.quorum(self._number, graph[vertex])
        ]
        others = [proposal for proposal in decided if proposal.key != decided[0].key]
        if not others:
            return None
        chosen = decided[0]
        rivals = [
            p for p in self._slot.proposals.values() if p.ballot >= chosen.ballot and p.key != chosen.key
        ]
        return _Split(chosen, min(rivals, key=lambda rival: rival.ballot), others[0])

    def _charge_for(self, split: _Split) -> Charge:
        chosen, rival = split.chosen, split.rival
        if rival.sent is None:
            return charges.unproposed_vote(rival)
        twin = next((p.sent for p in self._at(rival.ballot) if p is not rival and p.sent is not None), None)
        if twin is not None:
            return charges.ballot_reused(*sorted((twin, rival.sent), key=self._when))
        promises = [p for p in self._seen.promises(rival.ballot) if self._is_before(p, rival.sent)]
        allowing = support(self._seen, promises, self._number, rival.key)
        if allowing is None:
            return self._charge_proposer(chosen, rival.sent, promises)
        shared = [promise for promise in allowing if promise.node in chosen.votes]
        if not shared:
            views = list(self._seen.membership.views(self._number).values())
            return charges.quorums_apart(chosen, rival.sent, allowing, views)
        broken = (self._broken_by(chosen, promise) for promise in shared)
        hidden = charges.vote_hidden(chosen, shared[0], self._number)
        return next((charge for charge in broken if charge is not None), hidden)

    def _charge_proposer(self, chosen: Proposal, proposed: Event, promises: list[Event]) -> Charge:
        promisers = {promise.node: promise for promise in promises}
        if not self._seen.membership.quorum(self._number, promisers):
            return charges.no_quorum(proposed, promisers)
        reporting = [promise for promise in promises if reported(promise, self._number)]
        return charges.report_ignored(chosen, proposed, reporting)

    def _broken_by(self, chosen: Proposal, promise: Event) -> Charge | None:
        """How an acceptor of both quorums broke its word, if it did."""
        vote = chosen.votes[promise.node]
        if self._is_before(promise, vote):
            return charges.broken_promise(promise, vote, ballot_text(chosen.ballot))
        cast = (p.votes.get(promise.node) for p in self._slot.proposals.values() if p.ballot < chosen.ballot)
        between = (e for e in cast if e and self._is_before(vote, e) and self._is_before(e, promise))
        lower = min(between, key=self._when, default=None)
        return charges.vote_overtaken(vote, lower) if lower is not None else None

    def _hasty_learner(self) -> Charge | None:
        """Two values were learned though at most one is chosen: someone learned before there was a quorum."""
        for learned in sorted(self._slot.learned.values(), key=self._when):
            proposals = [p for p in self._slot.proposals.values() if self._slot.learned.get(p.key) is learned]
            before = [
                {node: vote for node, vote in p.votes.items() if self._is_before(vote, learned)}
                for p in proposals
            ]
            if not any(self._seen.membership.quorum(self._number, counted) for counted in before):
                return charges.learned_early(
                    learned, [vote for counted in before for vote in counted.values()]
                )
        return None

    def _background(self, charge: Charge) -> Iterator[Event]:
        """What the reader wants to know beside the evidence, the most important first."""
        if self._split is None:
            yield from self._slot.learned.values()
            yield from _sent(self._slot.proposals.values())
            return
        chosen, rival, harm = self._split.chosen, self._split.rival, self._split.harm
        owner = self._seen.owners.get(rival.ballot)
        yield from _sent((chosen, rival))
        yield from (owner,) if owner is not None else ()
        yield from self._restarts_within(charge)
        yield from self._deciding_votes(chosen)
        yield from self._deciding_votes(harm)
        yield from _sent((harm,))
        yield from self._seen.promises(rival.ballot)
        yield from (self._slot.learned[p.key] for p in (chosen, harm) if p.key in self._slot.learned)

    def _restarts_within(self, charge: Charge) -> Iterator[Event]:
        for node in charge.guilty:
            own = [event for event in charge.evidence if event.node == node]
            for restart in self._seen.restarts.get(node, ()):
                if any(self._is_before(event, restart) for event in own) and any(
                    self._is_before(restart, event) for event in own
                ):
                    yield restart

    def _deciding_votes(self, proposal: Proposal) -> Iterable[Event]:
        """The first votes that made the proposal chosen."""
        counted: dict[str, Event] = {}
        for event in sorted(proposal.votes.values(), key=self._when):
            counted[event.node] = event
            if self._seen.membership.quorum(self._number, counted):
                break
        return counted.values()

    def _at(self, ballot: Ballot) -> Iterator[Proposal]:
        return (proposal for proposal in self._slot.proposals.values() if proposal.ballot == ballot)

    def _is_before(self, one: Event, other: Event) -> bool:
        return self._when(one) < self._when(other)

    def _when(self, event: Event) -> int:
        return self._position[id(event)]


def _sent(proposals: Iterable[Proposal]) -> list[Event]:
    return [proposal.sent for proposal in proposals if proposal.sent is not None]
