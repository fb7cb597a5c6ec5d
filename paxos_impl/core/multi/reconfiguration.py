"""Changes of the members: how one is asked for, and how it is made once the log has decided it.

One is made at a time, and each names the version that it changes. So of two that leaders have decided one
after the other, each in ignorance of the other, only the first is made.

Who asked for a change is answered when nobody needs the members of before any more. Were it sooner, those who
were removed could be switched off while slots are open that only they decide, and these stay open for ever.
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi import leader
from ostrakon.paxos_impl.core.multi.command import Batch, Queued
from ostrakon.paxos_impl.core.multi.configuration import CLUSTER, Configuration, Member, change_to, is_change
from ostrakon.paxos_impl.core.multi.effect import Changed, Decline, Rejected
from ostrakon.paxos_impl.core.multi.log import FIRST
from ostrakon.paxos_impl.core.multi.phase import Leading
from ostrakon.paxos_impl.core.multi.succession import succession
from ostrakon.paxos_impl.core.multi.transition import Transition


def ask(t: Transition, request: int, members: tuple[Member, ...]) -> None:
    """Somebody wants these to be the members: have that decided, if it can be done now."""
    phase = t.phase
    newest = t.configurations[-1]
    if not isinstance(phase, Leading):
        t.do(Decline(request, t.leader, maybe=False))
    elif members == newest.members:
        t.phase = replace(phase, changes=(*phase.changes, request))  # It was asked for before, perhaps.
        answer(t)
    elif (why := newest.objection(members)) is not None:
        t.do(Rejected(request, why, is_final=True))
    elif (why := _obstacle(t, phase, newest, members)) is not None:
        t.do(Rejected(request, why, is_final=False))
    else:
        proposer = f"n{t.me}.{t.before.incarnation}.{request}"
        command = change_to(newest.followed_by(members), proposer)
        t.waiting = {**t.waiting, command.id: (request,)}
        t.queue = (*t.queue, Queued(command, size=64 * len(members)))


def _obstacle(
    t: Transition, phase: Leading, newest: Configuration, members: tuple[Member, ...]
) -> str | None:
    """Why the members can't be these now, though later they could."""
    is_under_way = any(id.client.startswith(CLUSTER) for id in t.waiting)
    if is_under_way or not _is_in_force(t, phase):
        return "another change is under way"
    for member in members:
        is_near = t.rules.may_vote_soon(phase.commit_indexes.get(member.id, 0), t.commit_index)
        if member.votes and member.id not in newest.voters and not is_near:
            return f"server {member.id} has to catch up with the log before it gets a vote"
    return None


def make(t: Transition, slot: int, batch: Batch, waiting: tuple[tuple[int, ...], ...]) -> None:
    """Change the configuration as the commands of a slot say; who wanted that waits until it is in force."""
    before = t.configurations
    if len(before) == 1 and not any(map(is_change, batch)):
        return
    configurations, is_made = succession(t.rules, before, slot, batch)
    for made, requests in zip(is_made, waiting, strict=True):
        if made and isinstance(phase := t.phase, Leading):
            t.phase = replace(phase, changes=(*phase.changes, *requests))
        elif made is False:
            for request in requests:
                t.do(Changed(request, slot, is_made=False))
    if configurations != before:
        t.configure(configurations)
        leader.prepare_missing(t)


def answer(t: Transition) -> None:
    """Tell those who wait for it that the newest configuration is in force, if it is."""
    phase = t.phase
    if isinstance(phase, Leading) and phase.changes and _is_in_force(t, phase):
        t.phase = replace(phase, changes=())
        for request in phase.changes:
            t.do(Changed(request, t.configurations[-1].from_slot - 1, is_made=True))


def _is_in_force(t: Transition, phase: Leading) -> bool:
    """Whether a quorum of the newest configuration knows what all slots of those before it hold.

    Each who knows that elects the next leader without the members of before; and of each quorum that is
    left, one knows.
    """
    newest = t.configurations[-1]
    commit_indexes = {**phase.commit_indexes, t.me: t.commit_index}
    knowing = tuple(id for id in newest.voters if commit_indexes.get(id, FIRST - 1) + 1 >= newest.from_slot)
    return t.is_quorum(knowing, newest.from_slot)
