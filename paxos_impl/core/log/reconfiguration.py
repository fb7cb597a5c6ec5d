"""Changes of the members: how one is asked for, and how it is made once the log has decided it.

One is made at a time, and each names the version that it changes. So of two that leaders have decided one
after the other, each in ignorance of the other, only the first is made.

Who asked for a change is answered when nobody needs the members of before any more. Were it sooner, those who
were removed could be switched off while slots are open that only they decide, and these stay open for ever.
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.log import leader
from ostrakon.paxos_impl.core.log.command import Batch, Queued
from ostrakon.paxos_impl.core.log.configuration import CLUSTER, Configuration, Member, change_to, is_change
from ostrakon.paxos_impl.core.log.effect import Changed, Decline, Rejected
from ostrakon.paxos_impl.core.log.ledger import FIRST
from ostrakon.paxos_impl.core.log.phase import Leading
from ostrakon.paxos_impl.core.log.succession import succession
from ostrakon.paxos_impl.core.log.turn import Turn


def ask(turn: Turn, request: int, members: tuple[Member, ...]) -> None:
    """Somebody wants these to be the members: have that decided, if it can be done now."""
    phase = turn.phase
    newest = turn.configurations[-1]
    if not isinstance(phase, Leading):
        turn.do(Decline(request, turn.leader, maybe=False))
    elif members == newest.members:
        turn.phase = replace(phase, changes=(*phase.changes, request))  # It was asked for before, perhaps.
        answer(turn)
    elif (why := newest.objection(members)) is not None:
        turn.do(Rejected(request, why, is_final=True))
    elif (why := _obstacle(turn, phase, newest, members)) is not None:
        turn.do(Rejected(request, why, is_final=False))
    else:
        proposer = f"n{turn.me}.{turn.before.incarnation}.{request}"
        command = change_to(newest.followed_by(members), proposer)
        turn.waiting = {**turn.waiting, command.id: (request,)}
        turn.queue = (*turn.queue, Queued(command, size=64 * len(members)))


def _obstacle(turn: Turn, phase: Leading, newest: Configuration, members: tuple[Member, ...]) -> str | None:
    """Why the members can't be these now, though later they could."""
    is_under_way = any(id.client.startswith(CLUSTER) for id in turn.waiting)
    if is_under_way or not _is_in_force(turn, phase):
        return "another change is under way"
    for member in members:
        is_near = turn.rules.may_vote_soon(phase.reached.get(member.id, 0), turn.upto)
        if member.votes and member.id not in newest.voters and not is_near:
            return f"server {member.id} has to catch up with the log before it gets a vote"
    return None


def make(turn: Turn, slot: int, batch: Batch, waiting: tuple[tuple[int, ...], ...]) -> None:
    """Change the configuration as the commands of a slot say; who wanted that waits until it is in force."""
    before = turn.configurations
    if len(before) == 1 and not any(map(is_change, batch)):
        return
    configurations, is_made = succession(turn.rules, before, slot, batch)
    for made, requests in zip(is_made, waiting, strict=True):
        if made and isinstance(phase := turn.phase, Leading):
            turn.phase = replace(phase, changes=(*phase.changes, *requests))
        elif made is False:
            for request in requests:
                turn.do(Changed(request, slot, is_made=False))
    if configurations != before:
        turn.configure(configurations)
        leader.prepare_missing(turn)


def answer(turn: Turn) -> None:
    """Tell those who wait for it that the newest configuration is in force, if it is."""
    phase = turn.phase
    if isinstance(phase, Leading) and phase.changes and _is_in_force(turn, phase):
        turn.phase = replace(phase, changes=())
        for request in phase.changes:
            turn.do(Changed(request, turn.configurations[-1].from_slot - 1, is_made=True))


def _is_in_force(turn: Turn, phase: Leading) -> bool:
    """Whether a quorum of the newest configuration knows what all slots of those before it hold.

    Each who knows that elects the next leader without the members of before; and of each quorum that is
    left, one knows.
    """
    newest = turn.configurations[-1]
    reached = {**phase.reached, turn.me: turn.upto}
    knowing = tuple(id for id in newest.voters if reached.get(id, FIRST - 1) + 1 >= newest.from_slot)
    return turn.is_quorum(knowing, newest.from_slot)
