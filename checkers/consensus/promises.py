"""What an acceptor owes: it keeps its promises (P7), and they tell all it has accepted (P8)."""

from __future__ import annotations

from collections.abc import Iterator

from checkers.consensus.seen import Acceptor, Report, Seen, ballot_of, reports_of
from checkers.consensus.wording import ballot_text, restart_text
from checkers.value import value_text
from checkers.verdict import Anomaly
from harness.history import Event


def promises_kept(seen: Seen, event: Event) -> Anomaly | None:
    """P7: after a promise, or a vote, an acceptor has nothing more to do with lower ballots.

    Paxos Made Simple, section 2.2, P1a; that a vote binds as a promise does is needed too, lest an old
    proposal overwrite a newer vote. A promise covers its slot and all above; a restart excuses nothing.
    """
    acceptor = seen.acceptors.get(event.node)
    if acceptor is None:
        return None
    ballot = ballot_of(event)
    if ballot >= ballot_of(acceptor.highest):
        return None
    earlier = _bound_by(acceptor, event)
    if earlier is None or ballot_of(earlier) <= ballot:
        return None
    return Anomaly(
        "promise broken" if earlier.event == "promise_sent" else "vote overtaken",
        f"{event.node} {_did(event)} ballot {ballot_text(ballot)}{restart_text(earlier, event)}, "
        f"though it had {_did(earlier)} the higher ballot {ballot_text(earlier.ballot)} before",
        (earlier, event),
    )


def _bound_by(acceptor: Acceptor, event: Event) -> Event | None:
    """The earlier promise or vote with the highest ballot that concerns the slots of this one."""
    slot = event.slot or 0
    if event.event == "promise_sent":
        # Two promises always overlap, as both are open upwards.
        rivals = [vote.event for at, vote in acceptor.votes.items() if at >= slot]
        rivals += acceptor.promises[-1:]
    else:
        rivals = [vote.event for vote in (acceptor.votes.get(slot),) if vote is not None]
        rivals += next(
            ([earlier] for earlier in reversed(acceptor.promises) if (earlier.slot or 0) <= slot), []
        )
    return max(rivals, key=ballot_of, default=None)


def _did(event: Event) -> str:
    return "promised" if event.event == "promise_sent" else "voted at"


def promises_truthful(seen: Seen, event: Event) -> Anomaly | None:
    """P8: a promise reports, for each slot it covers, the acceptor's vote with the highest ballot.

    Paxos Made Simple, section 2.2: a promise comes "with the highest-numbered proposal (if any)" that the
    acceptor has accepted. It may report a vote that was never sent, as a crash can come between accepting
    and sending, but not one for what nobody proposed.
    """
    acceptor = seen.acceptors.get(event.node)
    if not event.accepted and (acceptor is None or not acceptor.votes):
        return None
    return next(_untruths(seen, acceptor, event, reports_of(event)), None)


def _untruths(
    seen: Seen, acceptor: Acceptor | None, promise: Event, reports: dict[int, Report]
) -> Iterator[Anomaly]:
    ballot = ballot_of(promise)
    covered_from = promise.slot or 0
    votes = acceptor.votes if acceptor is not None else {}
    for slot, vote in votes.items():
        if slot < covered_from:
            continue
        report = reports.get(slot)
        if report is not None and report.ballot == vote.ballot:
            if report.key != vote.key:
                yield _altered(slot, vote, report)
        elif report is None or report.ballot < vote.ballot:
            hidden = vote if vote.ballot < ballot else _vote_below(seen, promise, slot)
            if hidden is not None and (report is None or report.ballot < hidden.ballot):
                yield _hidden(slot, hidden, report, promise)
    for slot, report in reports.items():
        known = votes.get(slot)
        if (known is None or known.ballot < report.ballot) and not _was_proposed(seen, slot, report):
            yield _invented(slot, report)


def _vote_below(seen: Seen, promise: Event, slot: int) -> Report | None:
    """The acceptor's highest vote in the slot below the ballot it promises."""
    ballot = ballot_of(promise)
    below = [
        Report(proposal.ballot, proposal.key, proposal.value, proposal.votes[promise.node])
        for proposal in seen.slot(slot).proposals.values()
        if proposal.ballot < ballot and promise.node in proposal.votes
    ]
    return max(below, key=lambda vote: vote.ballot, default=None)


def _was_proposed(seen: Seen, slot: int, report: Report) -> bool:
    proposal = seen.slot(slot).proposals.get((report.ballot, report.key))
    return proposal is not None and (proposal.sent is not None or bool(proposal.votes))


def _hidden(slot: int, vote: Report, report: Report | None, promise: Event) -> Anomaly:
    told = "no vote at all" if report is None else f"only its vote at {ballot_text(report.ballot)}"
    return Anomaly(
        "vote hidden",
        f"{promise.node} had voted at ballot {ballot_text(vote.ballot)} in slot {slot}, but its promise of "
        f"{ballot_text(promise.ballot)}{restart_text(vote.event, promise)} reports {told}",
        (vote.event, promise),
    )


def _altered(slot: int, vote: Report, report: Report) -> Anomaly:
    promise = report.event
    return Anomaly(
        "vote altered",
        f"{promise.node} voted for {value_text(vote.value)} at ballot {ballot_text(vote.ballot)} "
        f"in slot {slot}, but its promise of {ballot_text(promise.ballot)}"
        f"{restart_text(vote.event, promise)} reports {value_text(report.value)} at that ballot",
        (vote.event, promise),
    )


def _invented(slot: int, report: Report) -> Anomaly:
    promise = report.event
    return Anomaly(
        "vote invented",
        f"{promise.node} promised {ballot_text(promise.ballot)} and reported a vote for "
        f"{value_text(report.value)} at ballot {ballot_text(report.ballot)} in slot {slot}, "
        f"which nobody had proposed",
        (promise,),
    )
