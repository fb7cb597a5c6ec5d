"""The rules of acceptors: they keep promises (P7), report all votes in promises (P8), and lose neither at a
restart (P11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostrakon.checkers.consensus.phrases import ballot_text, restart_text
from ostrakon.checkers.consensus.recovered import Recovered
from ostrakon.checkers.consensus.seen import Acceptor, Ballot, Proposal, Seen, Slot, ballot_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event


def vote_allowed(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P7 for votes: an acceptor does not vote below what it promised, or voted at in the same slot.

    Paxos Made Simple, section 2.2, P1a. A vote binds like a promise, because otherwise an old proposal could
    overwrite a newer vote. The rule also holds across restarts.
    """
    acceptor = seen.acceptors.get(event.node)
    if acceptor is None or (event.ballot or ballot_of(event)) >= acceptor.top:
        return None
    number = event.slot or 0
    promises = (promise for promise in reversed(acceptor.promises) if (promise.slot or 0) <= number)
    bounds = [*_highest_vote(acceptor, number), *(promise for promise in (next(promises, None),) if promise)]
    return _broken(seen, bounds, event)


def promise_allowed(seen: Seen, event: Event) -> Anomaly | None:
    """P7 for promises: an acceptor does not promise below what it promised, or voted at in a slot covered.

    A promise covers its slot and all above.
    """
    acceptor = seen.acceptors.get(event.node)
    if acceptor is None or (event.ballot or ballot_of(event)) >= acceptor.top:
        return None
    # Two promises always overlap, because both cover all slots above their first one.
    bounds = acceptor.promises[-1:]
    for number, _ in acceptor.votes_from(event.slot or 0):
        bounds += _highest_vote(acceptor, number)
    return _broken(seen, bounds, event)


def _highest_vote(acceptor: Acceptor, slot: int) -> list[Event]:
    proposal = acceptor.votes.get(slot)
    return [proposal.votes[acceptor.node]] if proposal is not None else []


def _broken(seen: Seen, bounds: list[Event], event: Event) -> Anomaly | None:
    earlier = max(bounds, key=ballot_of, default=None)
    if earlier is None or ballot_of(earlier) <= ballot_of(event):
        return None
    restart = restart_text(seen.restarts_since(earlier, event))
    return Anomaly(
        "promise broken" if earlier.event == "promise_sent" else "vote overtaken",
        f"{event.node} {_did(event)} ballot {ballot_text(event.ballot)}{restart}, "
        f"though it had {_did(earlier)} the higher ballot {ballot_text(earlier.ballot)} before",
        (earlier, event),
    )


def _did(event: Event) -> str:
    return "promised" if event.event == "promise_sent" else "voted at"


def promise_truthful(seen: Seen, event: Event) -> Anomaly | None:
    """P8: a promise reports, for each slot it covers, the acceptor's vote with the highest ballot.

    Paxos Made Simple, section 2.2: a promise comes "with the highest-numbered proposal (if any)" that the
    acceptor has accepted. It may report a vote that was never sent, as a crash can come between accepting
    and sending, but not one for what nobody proposed.
    """
    acceptor = seen.acceptors.get(event.node)
    if acceptor is None and not event.accepted:
        return None
    if acceptor is not None and (acceptor.exact is event or acceptor.reports_exactly(event)):
        return None
    return next(_untruths(seen, acceptor or Acceptor(event.node), event), None)


def _untruths(seen: Seen, acceptor: Acceptor, promise: Event) -> Iterator[Anomaly]:
    ballot = ballot_of(promise)
    reports = {slot: (at, value) for slot, at, value in promise.accepted}
    for slot, vote in acceptor.votes_from(promise.slot or 0):
        at, value = reports.get(slot, (None, None))
        if at == vote.ballot:
            if canonical(value) != vote.key:
                yield _altered(seen, slot, vote, value, promise)
        elif at is None or at < vote.ballot:
            # A repeated promise may or may not report a vote at the promised ballot itself.
            hidden = vote if vote.ballot < ballot else _vote_below(seen.slot(slot), promise)
            if hidden is not None and (at is None or at < hidden.ballot):
                yield _hidden(seen, slot, hidden, at, promise)
    for slot, (at, value) in reports.items():
        known = acceptor.votes.get(slot)
        is_news = known is None or known.ballot < at
        if is_news and (at, canonical(value)) not in seen.slot(slot).proposals:
            yield _invented(slot, at, value, promise)


def _vote_below(slot: Slot, promise: Event) -> Proposal | None:
    """The acceptor's highest vote below the ballot it promises."""
    ballot = ballot_of(promise)
    below = [p for p in slot.proposals.values() if p.ballot < ballot and promise.node in p.votes]
    return max(below, key=lambda proposal: proposal.ballot, default=None)


def _hidden(seen: Seen, slot: int, vote: Proposal, reported: Ballot | None, promise: Event) -> Anomaly:
    told = "no vote at all" if reported is None else f"only its vote at {ballot_text(reported)}"
    cast = vote.votes[promise.node]
    return Anomaly(
        "vote hidden",
        f"{promise.node} had voted at ballot {ballot_text(vote.ballot)} in slot {slot}, but its promise of "
        f"{ballot_text(promise.ballot)}{restart_text(seen.restarts_since(cast, promise))} reports {told}",
        (cast, promise),
    )


def _altered(seen: Seen, slot: int, vote: Proposal, reported: Any, promise: Event) -> Anomaly:
    cast = vote.votes[promise.node]
    restart = restart_text(seen.restarts_since(cast, promise))
    return Anomaly(
        "vote altered",
        f"{promise.node} voted for {value_text(vote.value)} at ballot {ballot_text(vote.ballot)} "
        f"in slot {slot}, but its promise of {ballot_text(promise.ballot)}{restart} "
        f"reports {value_text(reported)} at that ballot",
        (cast, promise),
    )


def _invented(slot: int, at: Ballot, value: Any, promise: Event) -> Anomaly:
    return Anomaly(
        "vote invented",
        f"{promise.node} promised {ballot_text(promise.ballot)} and reported a vote for {value_text(value)} "
        f"at ballot {ballot_text(at)} in slot {slot}, which nobody had proposed",
        (promise,),
    )


def restart_remembers(seen: Seen, event: Event) -> Anomaly | None:
    """P11: a restart finds the acceptor's promise and its votes again.

    Paxos Made Simple, section 2.5: an acceptor must remember both "even if it fails and then restarts". Only
    what others were told counts, and a vote in a slot that is known to be chosen is not needed any more.
    """
    acceptor = seen.acceptors.get(event.node)
    if acceptor is None:
        return None
    found = max([event.promised or _NONE, *(at for _, at, _ in event.accepted)])
    if acceptor.promised > found:
        promise = acceptor.promises[-1]
        known = "no promise" if found == _NONE else f"only {ballot_text(found)}"
        return Anomaly(
            "promise forgotten",
            f"{event.node} had promised ballot {ballot_text(promise.ballot)}, and its restart found {known} "
            f"on its disk",
            (promise, event),
        )
    recovered = Recovered.by(event)
    for slot, vote in acceptor.votes_from(recovered.upto + 1):
        at, key = recovered.votes.get(slot, (_NONE, ""))
        if slot in recovered.decided or at > vote.ballot or (at, key) == (vote.ballot, vote.key):
            continue
        known = "no vote" if at == _NONE else f"a vote for another value, at {ballot_text(at)},"
        cast = vote.votes[event.node]
        return Anomaly(
            "vote forgotten",
            f"{event.node} had voted for {value_text(vote.value)} at ballot {ballot_text(vote.ballot)} in "
            f"slot {slot}, and its restart found {known} on its disk",
            (cast, event),
            details={"slot": slot},
        )
    return None


_NONE: Ballot = (-1, 0)
"""Lower than any ballot."""
