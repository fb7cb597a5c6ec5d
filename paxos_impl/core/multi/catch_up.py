"""Catch-up: what a replica sends to another one that does not know some slots.

Any role may notice that a sender is behind, and any replica can help: a value that is chosen once is chosen
for ever, so it does not matter who says so.
"""

from __future__ import annotations

from ostrakon.paxos_impl.core.multi.log import FIRST
from ostrakon.paxos_impl.core.multi.message import Entry, Offer, Tell
from ostrakon.paxos_impl.core.multi.transition import Transition

TOLD_MAX = 32
"""How many slots one `Tell` may contain, so that its frame stays small."""


def tell(t: Transition, from_slot: int, to: int) -> Transition:
    """Send what is chosen from a slot on; offer the snapshot instead if that slot is gone from the log."""
    state = t.state
    if from_slot <= state.log.base:
        return offer(t, to)
    entries: list[Entry] = []
    for slot in range(max(from_slot, FIRST), min(from_slot + TOLD_MAX, state.commit_index + 1)):
        chosen = state.log[slot].chosen
        assert chosen is not None, f"slot {slot} is open, below {state.commit_index}"
        entries.append(Entry(slot, chosen.ballot, chosen.value))
    return t.send((to,), Tell(tuple(entries), state.commit_index))


def offer(t: Transition, to: int) -> Transition:
    """Offer the newest snapshot to a replica that needs slots which are gone."""
    images = t.state.images
    return t.send((to,), Offer(images[-1].id)) if images and t.state.rules.hands_over() else t
