"""Snapshots from replica to replica, piece by piece; and from the state machine to the disk and back.

Pieces are asked for one by one, so a transfer goes on where it was when messages were lost, and with another
replica that has the same snapshot when one is. Nothing is installed before it is whole and durable.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.multi import election, learner
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
from ostrakon.paxos_impl.core.multi.transition import Transition


def offer(t: Transition, to: int) -> None:
    """Have somebody who needs slots that are gone take the snapshot instead."""
    if t.images and t.rules.hands_over():
        t.send((to,), Offer(t.images[-1].id))


def hear_offer(t: Transition, offered: Offer, sender: int) -> None:
    """Take the snapshot if it is of any use, or go on taking it."""
    id = offered.id
    if t.rules.may_install(id.slot, t.applied) and id.slot > t.saving:
        if t.fetching is None or t.fetching.id != id:
            t.fetching = Fetching(id)
        t.send((sender,), Fetch(id, t.fetching.size))


def send_chunk(t: Transition, fetch: Fetch, to: int) -> None:
    """Send a piece of a snapshot; of another one if this one is not here any more."""
    image = next((image for image in t.images if image.id == fetch.id), None)
    if image is None:
        offer(t, to)
    else:
        data = image.data[fetch.offset : fetch.offset + t.before.compaction.chunk_bytes]
        t.send((to,), Chunk(fetch.id, fetch.offset, data, checksum(data)))


def hear_chunk(t: Transition, chunk: Chunk, sender: int) -> None:
    """Add a piece if it is the next one, and ask for the one after it, or save the whole."""
    fetching = t.fetching
    if fetching is None or not t.rules.continues(fetching.id, fetching.size, chunk):
        return
    fetching = Fetching(fetching.id, (*fetching.pieces, chunk.data), fetching.size + len(chunk.data))
    t.fetching = fetching
    if fetching.size < fetching.id.size:
        t.send((sender,), Fetch(fetching.id, fetching.size))
        return
    t.fetching = None
    image = _joined(fetching)
    if image is not None and t.rules.is_whole(fetching.id, image):
        t.saving = image.slot
        t.do(SaveSnapshot(image))


def _joined(fetching: Fetching) -> Image | None:
    """The pieces together; None if they make no snapshot."""
    try:
        return Image.read(b"".join(fetching.pieces))
    except msgspec.DecodeError:
        return None


def take_if_due(t: Transition) -> None:
    """Take a snapshot when enough was executed since the last one."""
    newest = t.images[-1].slot if t.images else 0
    if t.applied - max(newest, t.saving) >= t.before.compaction.every:
        t.saving = t.applied
        t.do(TakeSnapshot(t.applied, since(t.configurations, t.applied + 1)))


def saved(t: Transition, image: Image) -> None:
    """A snapshot is durable: install it if it is ahead, and drop what it covers."""
    if t.images and image.slot <= t.images[-1].slot:
        return
    # The one before it stays for a while: somebody may be in the middle of fetching it.
    t.images = (*t.images[-1:], image)
    if t.rules.may_install(image.slot, t.applied):
        _install(t, image)
    else:
        t.do(SnapshotTaken(image.slot))
        _compact(t, t.rules.droppable(image.slot, t.before.compaction.keep, t.applied))


def _install(t: Transition, image: Image) -> None:
    election.step_down(t)  # Who leads from what it does not know would propose in slots that are decided.
    t.do(Install(image))
    t.commit_index = t.applied = image.slot
    t.configure(image.snapshot.configurations)
    _compact(t, image.slot)
    learner.go_on(t, image.slot)


def _compact(t: Transition, commit_index: int) -> None:
    if commit_index > t.log.base:
        t.log = t.log.without(commit_index)
        t.do(Compacted(commit_index))
