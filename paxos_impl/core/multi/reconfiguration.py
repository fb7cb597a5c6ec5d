"""Reconfiguration: how a change of the members is requested, and how it is made once the log decided it.

One change is made at a time, and each change names the version that it follows. So if two leaders have
decided one each, without knowing of the other, only the first is made.

A request for a change is answered when nobody needs the members of before any more. If it were answered
sooner, an operator could switch off removed members while slots are open that only they decide, and those
slots would stay open for ever.
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi.command import Batch, Queued
from ostrakon.paxos_impl.core.multi.configuration import CLUSTER, Configuration, Member, change_to, is_change
from ostrakon.paxos_impl.core.multi.effect import Changed, Decline, Effect, Rejected
from ostrakon.paxos_impl.core.multi.log import FIRST
from ostrakon.paxos_impl.core.multi.phase import Leading
from ostrakon.paxos_impl.core.multi.rules import configurations_after
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition


def request(t: Transition, request: int, members: tuple[Member, ...]) -> Transition:
    """Somebody wants these members: queue the change to be proposed, or refuse it and say why."""
    state, phase = t.state, t.state.phase
    newest = state.configurations[-1]
    if not isinstance(phase, Leading):
        return t.emit(Decline(request, state.leader, maybe=False))
    if members == newest.members:  # Probably requested before; the answer was lost.
        return answer(t.update(phase=replace(phase, changes=(*phase.changes, request))))
    if (why := newest.objection(members)) is not None:
        return t.emit(Rejected(request, why, is_final=True))
    if (why := _obstacle(state, phase, newest, members)) is not None:
        return t.emit(Rejected(request, why, is_final=False))
    command = change_to(newest.followed_by(members), f"n{state.server_id}.{state.incarnation}.{request}")
    return t.update(
        waiting={**state.waiting, command.id: (request,)},
        queue=(*state.queue, Queued(command, size=64 * len(members))),
    )


def _obstacle(state: State, phase: Leading, newest: Configuration, members: tuple[Member, ...]) -> str | None:
    """Why the members cannot be changed to these now, although they can later."""
    is_under_way = any(id.client.startswith(CLUSTER) for id in state.waiting)
    if is_under_way or not _is_in_force(state, phase):
        return "another change is under way"
    for member in members:
        is_near = state.rules.may_vote_soon(phase.commit_indexes.get(member.id, 0), state.commit_index)
        if member.votes and member.id not in newest.voters and not is_near:
            return f"server {member.id} has to catch up with the log before it gets a vote"
    return None


def apply(t: Transition, slot: int, batch: Batch, requests: tuple[tuple[int, ...], ...]) -> Transition:
    """Change the configurations as the commands of an executed slot say.

    `requests` has, for each command, the requests that wait for it. Those of a change that was made wait on,
    until it is in force.
    """
    before = t.state.configurations
    if len(before) == 1 and not any(map(is_change, batch)):
        return t
    configurations, is_made = configurations_after(t.state.rules, before, slot, batch)
    for made, waiting in zip(is_made, requests, strict=True):
        if made and isinstance(phase := t.state.phase, Leading):
            t = t.update(phase=replace(phase, changes=(*phase.changes, *waiting)))
        elif made is False:
            t = t.emit(*(Changed(each, slot, is_made=False) for each in waiting))
    return t if configurations == before else t.configure(configurations)


def answer(t: Transition) -> Transition:
    """Answer the requests that wait for the newest configuration, if it is in force."""
    state, phase = t.state, t.state.phase
    if not isinstance(phase, Leading) or not phase.changes or not _is_in_force(state, phase):
        return t
    last = state.configurations[-1].from_slot - 1
    answers: list[Effect] = [Changed(each, last, is_made=True) for each in phase.changes]
    return t.update(phase=replace(phase, changes=())).emit(*answers)


def _is_in_force(state: State, phase: Leading) -> bool:
    """Whether a quorum of the newest configuration knows what is chosen in all slots of those before it.

    Each member of that quorum can elect the next leader without the members of before, and every other quorum
    shares a member with it.
    """
    newest = state.configurations[-1]
    known = {**phase.commit_indexes, state.server_id: state.commit_index}
    knowing = tuple(id for id in newest.voters if known.get(id, FIRST - 1) + 1 >= newest.from_slot)
    return state.is_quorum(knowing, newest.from_slot)
