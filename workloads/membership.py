"""The workload `membership`: replicas join, get a vote, lose it and leave, while clients use the store.

Three nodes, or all if there are no more, found the cluster; the others stand by and can join it, in their
order. Who has left does not come back: it would have to begin anew, under another id.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec.structs import replace

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, repeat, stagger
from ostrakon.harness.history import NEMESIS, History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.core.multi import Configuration, Member
from ostrakon.workloads.membership_bugs import MEMBERSHIP_BUGS
from ostrakon.workloads.register import RegisterClient, one_of_each, read_write_cas
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    address_of,
    store_workload,
    until_done,
)

FOUNDERS = 3
VOTERS_MIN = 3
"""Fewer than these are not left, where there are more nodes: two could not do without either."""
CHANGE_EVERY_S = 0.25
CHANGES = ("add", "promote", "promote", "demote", "remove")
OR = " or "
CHANGED = "changed before"
"""What was done, as far as is known, where nothing can be done any more."""


class MemberClient:
    """Uses the store as `register` does, and changes who is a member."""

    def __init__(self, session: Session) -> None:
        self._session, self._register = session, RegisterClient(session)

    async def apply(self, op: Op) -> Op:
        """Carry out an op of `register`, or a `reconfigure`, which is ok with what it did, to which server.

        It fails if there is nobody to whom that could be done. Of several changes with "or" between them the
        first is made that can be; of all of them one always can, until something was changed.
        """
        if op.f != "reconfigure":
            return await self._register.apply(op)
        configuration = await self._session.configuration()
        for how in op.value.split(OR):
            changed = _changed(configuration, how, self._session.nodes)
            if changed is not None:
                members, whom = changed
                await self._session.change(members)
                return replace(op, type="ok", value=[how, whom])
        if set(CHANGES) <= set(op.value.split(OR)):
            return replace(op, type="ok", value=[CHANGED, None])
        raise Refused(f"{op.value}: there is nobody for that")


def _changed(
    configuration: Configuration, how: str, nodes: Sequence[str]
) -> tuple[tuple[Member, ...], int | None] | None:
    """The members after a change, and whom it is about; None if it makes no sense now."""
    learners = [member.id for member in configuration.members if not member.votes]
    voters, turn = configuration.voters, configuration.version
    is_enough = len(voters) > min(VOTERS_MIN, len(nodes) - 1)
    match how:
        case "add" if configuration.next_id <= len(nodes):
            id_ = configuration.next_id
            return configuration.with_learner(str(address_of(nodes[id_ - 1]))), id_
        case "promote" if learners:
            return configuration.with_vote(learners[0]), learners[0]
        case "demote" if is_enough:
            return _without_vote(configuration, voters[turn % len(voters)]), voters[turn % len(voters)]
        case "remove" if is_enough:
            return configuration.without(voters[turn % len(voters)]), voters[turn % len(voters)]
        case "promote all":
            return tuple(replace(member, votes=True) for member in configuration.members), None
    return None


def _without_vote(configuration: Configuration, id_: int) -> tuple[Member, ...]:
    return tuple(
        replace(member, votes=False) if member.id == id_ else member for member in configuration.members
    )


def use_and_reconfigure(plan: Plan, rng: random.Random) -> Generator:
    """Clients do as in `register`; of several, the first does nothing but change the membership."""
    return read_write_cas(plan, rng, besides=stagger(CHANGE_EVERY_S, _changes(rng), rng=rng))


def _changes(rng: random.Random) -> Generator:
    return drawn(lambda rng: OpRequest("reconfigure", rng.choice(CHANGES)), rng=rng)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """The first client makes a last change, and has all members vote; everyone does as `register` does."""
    kinds = sorted(set(CHANGES))
    whatever = OR.join(rng.sample(kinds, len(kinds)))
    settle = [repeat(OpRequest("reconfigure", how)) for how in (whatever, "promote all")]

    def ops_of(thread: int) -> list[Source]:
        return [*(settle if thread == 0 else ()), *one_of_each(thread, rng)]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """Each key is linearizable, whoever the members are; and they were not always the same."""
    return {
        "linearizability": lambda: linearizable(_of_registers(history), "keyed-cas-register"),
        "changes": lambda: _changes_made(history),
    }


def _changes_made(history: History) -> Verdict:
    done = history.where(f="reconfigure", type="ok")
    made = [op for op in done if op.value[1] is not None or op.value[0] == CHANGED]
    return Verdict.passed(made=len(made)) if made else Verdict.unknown("the members were always the same")


def _of_registers(history: History) -> History:
    """To registers, changes of the membership are what faults are: somebody else's doing."""
    return History(replace(op, process=NEMESIS) if op.f == "reconfigure" else op for op in history)


MEMBERSHIP = store_workload(
    name="membership",
    about="Whether a change of who counts ever lets two quorums decide apart, or forgets what was decided.",
    operations=Operations(MemberClient, use_and_reconfigure, all_at_last),
    checks=checks,
    bugs=MEMBERSHIP_BUGS,
    defaults={"nodes": 5},
    founders=FOUNDERS,
)
