"""Protocol events of a replica, derived from its effects, in the format of Basic Paxos's events.

The names of events and of details are a format that checkers read. They do not change when a class does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote
from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.effect import (
    Apply,
    Compacted,
    Configured,
    Effect,
    HoldsLease,
    Install,
    Leads,
    Learned,
    Query,
    Restarted,
    Send,
    SnapshotTaken,
)
from ostrakon.paxos_impl.core.multi.log import FIRST
from ostrakon.paxos_impl.core.multi.message import (
    Accepted,
    Ask,
    Chunk,
    Entry,
    Fetch,
    Heartbeat,
    HeartbeatResponse,
    Nack,
    Offer,
    Prepare,
    Promise,
    Propose,
    Tell,
)
from ostrakon.paxos_impl.core.trace import TraceEvent, node_name

_Me = tuple[str, int, int]


def trace_event(effect: Effect, server_id: int, incarnation: int, seq: int) -> TraceEvent | None:
    """The event that others observe when `effect` is carried out; None if they observe nothing.

    Beside the events of Basic Paxos there are `leading`, `lease_held`, `lease_read`, `applied`,
    `commit_sent`, `snapshot_taken`, `snapshot_installed`, `compacted`, and `offer_sent`, `fetch_sent` and
    `chunk_sent` of a snapshot under way. Numbered
    heartbeats, their responses and pre-votes are left out, because no rule is about them.
    """
    me = (node_name(server_id), incarnation, seq)
    match effect:
        case Send(to, message, id, cause, about=about):
            return _sent(message, me, id, cause, _names(to), about)
        case Learned(slot, Vote(ballot, value), how, cause):
            return TraceEvent(*me, "learned", cause=cause, slot=slot, ballot=ballot, value=value, how=how)
        case Apply(slot, batch):
            return TraceEvent(*me, "applied", slot=slot, value=batch)
        case Restarted(promised, votes, commit_index):
            return TraceEvent(
                *me,
                "restart",
                accepted=_votes(votes),
                promised=promised,
                detail={"chosen_upto": commit_index},
            )
        case Configured(configuration):
            begins = None if configuration.from_slot == FIRST else configuration.from_slot
            members = tuple(map(node_name, configuration.voters))
            return TraceEvent(*me, "config_active", slot=begins, members=members)
        case SnapshotTaken(commit_index):
            return TraceEvent(*me, "snapshot_taken", slot=commit_index)
        case Install(image):
            return TraceEvent(*me, "snapshot_installed", slot=image.slot)
        case Compacted(commit_index):
            return TraceEvent(*me, "compacted", slot=commit_index)
        case Leads(ballot):
            return TraceEvent(*me, "leading", ballot=ballot)
        case HoldsLease(ballot, slot):
            return TraceEvent(*me, "lease_held", slot=slot, ballot=ballot)
        case Query(slot=slot, how="lease", ballot=ballot):
            return TraceEvent(*me, "lease_read", slot=slot, ballot=ballot)
    return None


def _sent(
    message: object, me: _Me, id: str, cause: str | None, to: tuple[str, ...], about: Batch | None
) -> TraceEvent | None:
    match message:  # The most frequent ones come first.
        case Propose(ballot, slot, batch):
            return TraceEvent(*me, "propose_sent", id, cause, to, slot, ballot, batch)
        case Accepted(ballot, slot):
            assert about is not None, f"a vote for nothing: {message}"
            return TraceEvent(*me, "accept_sent", id, cause, to, slot, ballot, about)
        case Heartbeat(ballot, commit_index, number):
            if number:
                return None
            return TraceEvent(*me, "commit_sent", id, cause, to, commit_index, ballot)
        case HeartbeatResponse():
            return None
        case Prepare(ballot, from_slot):
            return TraceEvent(*me, "prepare_sent", id, cause, to, from_slot, ballot)
        case Promise(ballot, from_slot, votes):
            return TraceEvent(*me, "promise_sent", id, cause, to, from_slot, ballot, accepted=_votes(votes))
        case Nack(ballot, promised):
            return TraceEvent(*me, "nack_sent", id, cause, to, None, ballot, promised=promised)
        case Ask(from_slot):
            return TraceEvent(*me, "ask_sent", id, cause, to, from_slot)
        case Tell(entries, commit_index):
            first = entries[0].slot if entries else None
            return TraceEvent(*me, "tell_sent", id, cause, to, first, detail={"chosen_upto": commit_index})
        case Offer(snapshot):
            return TraceEvent(*me, "offer_sent", id, cause, to, snapshot.slot)
        case Fetch(snapshot, offset):
            return TraceEvent(*me, "fetch_sent", id, cause, to, snapshot.slot, detail={"offset": offset})
        case Chunk(snapshot, offset, data):
            piece = {"offset": offset, "bytes": len(data), "of": snapshot.size}
            return TraceEvent(*me, "chunk_sent", id, cause, to, snapshot.slot, detail=piece)
    return None


@lru_cache(maxsize=1024)
def _names(servers: tuple[int, ...]) -> tuple[str, ...]:
    """The names of servers. Most messages go to the same few receivers."""
    return tuple(map(node_name, servers))


def _votes(votes: Iterable[Entry]) -> tuple[tuple[int, Ballot, Value], ...]:
    return tuple((entry.slot, entry.ballot, entry.batch) for entry in votes)
