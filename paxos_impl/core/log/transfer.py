"""Snapshots from replica to replica, piece by piece; and from the state machine to the disk and back.

Pieces are asked for one by one, so a transfer goes on where it was when messages were lost, and with another
replica that has the same snapshot when one is. Nothing is installed before it is whole and durable.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.log import election, learner
from ostrakon.paxos_impl.core.log.configuration import since
from ostrakon.paxos_impl.core.log.effect import Compacted, Install, SaveSnapshot, SnapshotTaken, TakeSnapshot
from ostrakon.paxos_impl.core.log.message import Chunk, Fetch, Offer
from ostrakon.paxos_impl.core.log.snapshot import Fetching, Image, checksum
from ostrakon.paxos_impl.core.log.turn import Turn


def offer(turn: Turn, to: int) -> None:
    """Have somebody who needs slots that are gone take the snapshot instead."""
    if turn.images and turn.rules.hands_over():
        turn.send((to,), Offer(turn.images[-1].id))


def hear_offer(turn: Turn, offered: Offer, sender: int) -> None:
    """Take the snapshot if it is of any use, or go on taking it."""
    id = offered.id
    if turn.rules.may_install(id.slot, turn.applied) and id.slot > turn.saving:
        if turn.fetching is None or turn.fetching.id != id:
            turn.fetching = Fetching(id)
        turn.send((sender,), Fetch(id, turn.fetching.size))


def send_chunk(turn: Turn, fetch: Fetch, to: int) -> None:
    """Send a piece of a snapshot; of another one if this one is not here any more."""
    image = next((image for image in turn.images if image.id == fetch.id), None)
    if image is None:
        offer(turn, to)
    else:
        data = image.data[fetch.offset : fetch.offset + turn.before.compaction.chunk_bytes]
        turn.send((to,), Chunk(fetch.id, fetch.offset, data, checksum(data)))


def hear_chunk(turn: Turn, chunk: Chunk, sender: int) -> None:
    """Add a piece if it is the next one, and ask for the one after it, or save the whole."""
    fetching = turn.fetching
    if fetching is None or not turn.rules.continues(fetching.id, fetching.size, chunk):
        return
    fetching = Fetching(fetching.id, (*fetching.pieces, chunk.data), fetching.size + len(chunk.data))
    turn.fetching = fetching
    if fetching.size < fetching.id.size:
        turn.send((sender,), Fetch(fetching.id, fetching.size))
        return
    turn.fetching = None
    image = _joined(fetching)
    if image is not None and turn.rules.is_whole(fetching.id, image):
        turn.saving = image.slot
        turn.do(SaveSnapshot(image))


def _joined(fetching: Fetching) -> Image | None:
    """The pieces together; None if they make no snapshot."""
    try:
        return Image.read(b"".join(fetching.pieces))
    except msgspec.DecodeError:
        return None


def take_if_due(turn: Turn) -> None:
    """Take a snapshot when enough was executed since the last one."""
    newest = turn.images[-1].slot if turn.images else 0
    if turn.applied - max(newest, turn.saving) >= turn.before.compaction.every:
        turn.saving = turn.applied
        turn.do(TakeSnapshot(turn.applied, since(turn.configurations, turn.applied + 1)))


def saved(turn: Turn, image: Image) -> None:
    """A snapshot is durable: install it if it is ahead, and drop what it covers."""
    if turn.images and image.slot <= turn.images[-1].slot:
        return
    # The one before it stays for a while: somebody may be in the middle of fetching it.
    turn.images = (*turn.images[-1:], image)
    if turn.rules.may_install(image.slot, turn.applied):
        _install(turn, image)
    else:
        turn.do(SnapshotTaken(image.slot))
        _compact(turn, turn.rules.droppable(image.slot, turn.before.compaction.keep, turn.applied))


def _install(turn: Turn, image: Image) -> None:
    election.step_down(turn)  # Who leads from what it does not know would propose in slots that are decided.
    turn.do(Install(image))
    turn.upto = turn.applied = image.slot
    turn.configure(image.snapshot.configurations)
    _compact(turn, image.slot)
    learner.go_on(turn, image.slot)


def _compact(turn: Turn, upto: int) -> None:
    if upto > turn.ledger.base:
        turn.ledger = turn.ledger.without(upto)
        turn.do(Compacted(upto))
