"""Finds the nodes at fault when a slot was decided twice, by the quorums that should have shared a node.

What was decided once and then lost goes back to the same faults, or to votes that were forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ostrakon.checkers.consensus import blame_finding as findings
from ostrakon.checkers.consensus.blame_finding import BlameFinding
from ostrakon.checkers.consensus.excerpt import Excerpt, tell
from ostrakon.checkers.consensus.graphs import derivation, votes
from ostrakon.checkers.consensus.phrases import ballot_text
from ostrakon.checkers.consensus.proposals import support
from ostrakon.checkers.consensus.recovered import Recovered
from ostrakon.checkers.consensus.seen import Ballot, Proposal, Seen, Slot, reported
from ostrakon.checkers.value import canonical, value_text
from ostrakon.harness.history import Event, Trace
from ostrakon.harness.history.trace import in_order


@dataclass(frozen=True, slots=True)
class _Split:
    """Two values in one slot, and where they parted."""

    chosen: Proposal
    """The chosen proposal with the lowest ballot."""
    rival: Proposal
    """The lowest proposal at or above that ballot with another value: the first that is unsafe."""
    harm: Proposal
    """The lowest chosen proposal with another value; or, if one value is chosen and was lost, the lowest that
    someone voted for who had chosen that."""


class BlameAnalysis:
    """One slot of a trace, all of which has been `seen`.

    With `lost`, a value that is chosen there and no longer known to a quorum is to be accounted for too.
    """

    def __init__(self, trace: Trace, seen: Seen, slot: int, *, lost: bool = False) -> None:
        self._trace, self._seen, self._number, self._is_lost = in_order(trace), seen, slot, lost
        self._slot = seen.slots.get(slot, Slot())
        self._position = {id(event): at for at, event in enumerate(self._trace)}

    def finding(self) -> BlameFinding | None:
        """What is wrong; None if nothing is, or if the trace does not show whose fault it is."""
        if self._split is not None:
            return self._finding_for(self._split)
        if len(self._slot.learned) > 1:
            return self._hasty(self._slot.learned.values())
        executed = self._slot.applied.values()
        if len({canonical(event.value) for event in executed}) > 1:
            return self._hasty(executed)
        return self._forgetful() if self._is_lost else None

    def story(self, finding: BlameFinding) -> Excerpt:
        """The events that show the fault, those that led to it, and those that came of it."""
        events = [*finding.evidence, *self._background(finding)]
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
        decided = self._decided
        if not decided:
            return None
        chosen = decided[0]
        others = [p for p in decided if p.key != chosen.key]
        rivals = sorted(
            (p for p in self._slot.proposals.values() if p.ballot >= chosen.ballot and p.key != chosen.key),
            key=lambda rival: rival.ballot,
        )
        if others:
            return _Split(chosen, rivals[0], others[0])
        overwriting = [rival for rival in rivals if not rival.votes.keys().isdisjoint(chosen.votes)]
        return _Split(chosen, rivals[0], overwriting[0]) if overwriting and self._is_lost else None

    @cached_property
    def _decided(self) -> list[Proposal]:
        """The proposals that a quorum voted for, by ballot."""
        graph = votes(self._seen, self._number)
        return [
            self._slot.proposals[vertex]
            for vertex in sorted(self._slot.proposals, key=lambda vertex: vertex[0])
            if self._seen.membership.quorum(self._number, graph[vertex])
        ]

    def _finding_for(self, split: _Split) -> BlameFinding:
        chosen, rival = split.chosen, split.rival
        if rival.sent is None:
            return findings.unproposed_vote(rival)
        twin = next((p.sent for p in self._at(rival.ballot) if p is not rival and p.sent is not None), None)
        if twin is not None:
            earlier, later = sorted((twin, rival.sent), key=self._when)
            return findings.ballot_reused(earlier, later, self._restarts_between(earlier, later))
        promises = [p for p in self._seen.promises(rival.ballot) if self._is_before(p, rival.sent)]
        allowing = support(self._seen, promises, self._number, rival.key)
        if allowing is None:
            return self._proposer_at_fault(chosen, rival.sent, promises)
        shared = [promise for promise in allowing if promise.node in chosen.votes]
        if not shared:
            views = list(self._seen.membership.views(self._number).values())
            return findings.quorums_apart(chosen, rival.sent, allowing, views)
        broken = (self._broken_by(chosen, promise) for promise in shared)
        if (finding := next(filter(None, broken), None)) is not None:
            return finding
        restarts = self._restarts_between(chosen.votes[shared[0].node], shared[0])
        return findings.vote_hidden(chosen, shared[0], self._number, restarts)

    def _proposer_at_fault(self, chosen: Proposal, proposed: Event, promises: list[Event]) -> BlameFinding:
        promisers = {promise.node: promise for promise in promises}
        if not self._seen.membership.quorum(self._number, promisers):
            return findings.no_quorum(proposed, promisers)
        reporting = [promise for promise in promises if reported(promise, self._number)]
        return findings.report_ignored(chosen, proposed, reporting)

    def _broken_by(self, chosen: Proposal, promise: Event) -> BlameFinding | None:
        """How an acceptor of both quorums broke its word, if it did."""
        vote = chosen.votes[promise.node]
        if self._is_before(promise, vote):
            restarts = self._restarts_between(promise, vote)
            return findings.broken_promise(promise, vote, ballot_text(chosen.ballot), restarts)
        cast = (p.votes.get(promise.node) for p in self._slot.proposals.values() if p.ballot < chosen.ballot)
        between = (e for e in cast if e and self._is_before(vote, e) and self._is_before(e, promise))
        lower = min(between, key=self._when, default=None)
        if lower is None:
            return None
        return findings.vote_overtaken(vote, lower, self._restarts_between(vote, lower))

    def _hasty(self, believing: Iterable[Event]) -> BlameFinding | None:
        """Two values were learned, or executed, though at most one is chosen: someone was too quick."""
        for learned in sorted(believing, key=self._when):
            key = canonical(learned.value)
            before = [
                {node: vote for node, vote in p.votes.items() if self._is_before(vote, learned)}
                for p in self._slot.proposals.values()
                if p.key == key
            ]
            if not any(self._seen.membership.quorum(self._number, counted) for counted in before):
                return findings.learned_early(
                    learned, [vote for counted in before for vote in counted.values()]
                )
        return None

    def _forgetful(self) -> BlameFinding | None:
        """Of those who chose a value, some were restarted without their votes for it."""
        for chosen in self._decided:
            quorum = self._deciding_votes(chosen)
            forgotten = {
                vote.node: restart
                for vote in quorum
                for restart in reversed(self._seen.restarts.get(vote.node, ()))
                if self._is_before(vote, restart)
                and not Recovered.by(restart).holds(self._number, chosen.ballot, chosen.key)
            }
            if forgotten:
                return findings.votes_forgotten(chosen, quorum, forgotten)
        return None

    def _background(self, finding: BlameFinding) -> Iterator[Event]:
        """What the reader wants to know beside the evidence, the most important first."""
        if self._split is None:
            yield from self._slot.learned.values()
            yield from _sent(self._slot.proposals.values())
            for chosen in self._decided[:1]:
                yield from self._deciding_votes(chosen)
                yield from self._seen.promises(chosen.ballot)
            return
        chosen, rival, harm = self._split.chosen, self._split.rival, self._split.harm
        owner = self._seen.owners.get(rival.ballot)
        yield from _sent((chosen, rival))
        yield from (owner,) if owner is not None else ()
        yield from self._restarts_within(finding)
        yield from self._deciding_votes(chosen)
        yield from self._deciding_votes(harm)
        yield from _sent((harm,))
        yield from self._seen.promises(rival.ballot)
        yield from (self._slot.learned[p.key] for p in (chosen, harm) if p.key in self._slot.learned)

    def _restarts_within(self, finding: BlameFinding) -> Iterator[Event]:
        """Restarts of the nodes at fault between the events that show the fault."""
        for node in finding.guilty:
            own = sorted((event for event in finding.evidence if event.node == node), key=self._when)
            if own:
                yield from self._restarts_between(own[0], own[-1])

    def _restarts_between(self, bound: Event, broke: Event) -> list[Event]:
        """Restarts of a node between two of its events."""
        restarts = self._seen.restarts.get(bound.node, ())
        return [it for it in restarts if self._is_before(bound, it) and self._is_before(it, broke)]

    def _deciding_votes(self, proposal: Proposal) -> Sequence[Event]:
        """The first votes that made the proposal chosen."""
        counted: dict[str, Event] = {}
        for event in sorted(proposal.votes.values(), key=self._when):
            counted[event.node] = event
            if self._seen.membership.quorum(self._number, counted):
                break
        return tuple(counted.values())

    def _at(self, ballot: Ballot) -> Iterator[Proposal]:
        return (proposal for proposal in self._slot.proposals.values() if proposal.ballot == ballot)

    def _is_before(self, one: Event, other: Event) -> bool:
        return self._when(one) < self._when(other)

    def _when(self, event: Event) -> int:
        return self._position[id(event)]


def _sent(proposals: Iterable[Proposal]) -> list[Event]:
    return [proposal.sent for proposal in proposals if proposal.sent is not None]
