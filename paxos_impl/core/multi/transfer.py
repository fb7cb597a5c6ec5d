"""Snapshots: when one is taken, what it replaces in the log, and how it gets from replica to replica.

Chunks are requested one by one. So a transfer goes on where it was when messages were lost, and goes on with
another replica that has the same snapshot when its sender is lost. A snapshot is installed only once it is
whole and durable.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.multi import catch_up
from ostrakon.paxos_impl.core.multi.configuration import since
from ostrakon.paxos_impl.core.multi.effect import (
    Compacted,
    Install,
    SaveSnapshot,
    SnapshotTaken,
    TakeSnapshot,
)
from ostrakon.paxos_impl.core.multi.message import Chunk, Fetch, Offer
from ostrakon.paxos_impl.core.multi.snapshot import Fetching, Image, checksum
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition

# From another replica.


def answer_offer(t: Transition, offered: Offer, sender: int) -> Transition:
    """Fetch an offered snapshot if it is of use, or go on fetching it."""
    state, id = t.state, offered.id
    if not state.rules.may_install(id.slot, state.applied) or id.slot <= state.saving:
        return t
    fetching = state.fetching
    if fetching is None or fetching.id != id:
        fetching = Fetching(id)
        t = t.update(fetching=fetching)
    return t.send((sender,), Fetch(id, fetching.size))


def send_chunk(t: Transition, fetch: Fetch, to: int) -> Transition:
    """Send a chunk of a snapshot; offer the newest one if the one that is fetched is gone."""
    image = next((image for image in t.state.images if image.id == fetch.id), None)
    if image is None:
        return catch_up.offer(t, to)
    data = image.data[fetch.offset : fetch.offset + t.state.compaction.chunk_bytes]
    return t.send((to,), Chunk(fetch.id, fetch.offset, data, checksum(data)))


def add_chunk(t: Transition, chunk: Chunk, sender: int) -> Transition:
    """Add a chunk if it is the next one; then fetch the one after it, or save the whole snapshot."""
    state, fetching = t.state, t.state.fetching
    if fetching is None or not state.rules.continues(fetching.id, fetching.size, chunk):
        return t
    fetching = Fetching(fetching.id, (*fetching.pieces, chunk.data), fetching.size + len(chunk.data))
    if fetching.size < fetching.id.size:
        return t.update(fetching=fetching).send((sender,), Fetch(fetching.id, fetching.size))
    t = t.update(fetching=None)
    image = _joined(fetching)
    if image is None or not state.rules.is_whole(fetching.id, image):
        return t
    t = t.update(saving=image.slot).emit(SaveSnapshot(image))
    return t if state.rules.installs_saved_only() else install(t, image)


def _joined(fetching: Fetching) -> Image | None:
    """The chunks as one snapshot; None if they are no snapshot."""
    try:
        return Image.read(b"".join(fetching.pieces))
    except msgspec.DecodeError:
        return None


# To the disk and back.


def take_if_due(t: Transition) -> Transition:
    """Take a snapshot when enough slots were executed since the last one."""
    state = t.state
    newest = state.images[-1].slot if state.images else 0
    if state.applied - max(newest, state.saving) < state.compaction.every:
        return t
    taken = TakeSnapshot(state.applied, since(state.configurations, state.applied + 1))
    return t.update(saving=state.applied).emit(taken)


def is_newer(state: State, image: Image) -> bool:
    """Whether a snapshot that has become durable is newer than the newest one so far."""
    return not state.images or image.slot > state.images[-1].slot


def keep(t: Transition, image: Image) -> Transition:
    """A newer snapshot is durable. The one before it stays for a while: somebody may be fetching it."""
    return t.update(images=(*t.state.images[-1:], image))


def compact(t: Transition, image: Image) -> Transition:
    """Drop from the log what a durable snapshot of this replica's own state replaces."""
    state = t.state
    dropped = state.rules.droppable(image.slot, state.compaction.keep, state.applied)
    return _drop(t.emit(SnapshotTaken(image.slot)), dropped)


def install(t: Transition, image: Image) -> Transition:
    """Replace the state machine's state by a durable snapshot that is ahead of it."""
    t = t.emit(Install(image)).update(commit_index=image.slot, applied=image.slot)
    return _drop(t.configure(image.snapshot.configurations), image.slot)


def _drop(t: Transition, slot: int) -> Transition:
    """Drop a slot and all below it from the log."""
    if slot <= t.state.log.base:
        return t
    return t.update(log=t.state.log.without(slot)).emit(Compacted(slot))
