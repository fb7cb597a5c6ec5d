"""The workload `membership`: replicas join, get a vote, lose it and leave, while clients use the store.

Three nodes, or all if there are fewer, form the first cluster. The other nodes can join it, in order. A
replica that has left does not return, because it would need a new id.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, repeat, stagger
from ostrakon.harness.history import NEMESIS, History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused, SeededBug
from ostrakon.paxos_impl.core.multi import Configuration, LogRules, Member
from ostrakon.workloads.log_bugs import Breakage
from ostrakon.workloads.register import RegisterClient, one_of_each, read_write_cas
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    address_of,
    store_workload,
    until_done,
)


class _InForceAtOnce(LogRules):
    def in_force_from(self, slot: int) -> int:
        return slot + 1


class _OldQuorum(LogRules):
    def in_force(self, configurations: Sequence[Configuration], slot: int) -> Configuration:
        return configurations[0]


class _CountsEveryone(LogRules):
    def counted(self, configuration: Configuration, voters: tuple[int, ...]) -> tuple[int, ...]:
        return voters


class _CountsLearners(LogRules):
    def counted(self, configuration: Configuration, voters: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(voter for voter in voters if voter in configuration.ids)


def _bugs() -> Iterator[SeededBug]:
    yield SeededBug(
        "change-in-force-at-once",
        "the members change with the next slot, though others may have been proposed ahead by then",
        Breakage(_InForceAtOnce()),
        convicted_by=("P2", "P3", "P4", "P9", "M8"),
    )
    yield SeededBug(
        "old-quorum",
        "slots of a new configuration are decided by a quorum of the old one",
        Breakage(_OldQuorum()),
        convicted_by=("P2", "P3", "P4", "P9"),
    )
    yield SeededBug(
        "counts-everyone",
        "promises and votes count, whether or not they are those of a member that has a vote",
        Breakage(_CountsEveryone()),
        # M7, because grants of leases are counted by the same rule.
        convicted_by=("P2", "P3", "P4", "P9", "M7"),
    )
    yield SeededBug(
        "learners-counted",
        "promises and votes of members without a vote count",
        Breakage(_CountsLearners()),
        # M7, because grants of leases are counted by the same rule.
        convicted_by=("P2", "P3", "P4", "P9", "M7"),
    )


MEMBERSHIP_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of membership by name."""


FOUNDERS = 3
VOTERS_MIN = 3
"""The smallest number of members: a cluster of two could not lose either of them."""
CHANGE_EVERY_S = 0.25
CHANGES = ("add", "promote", "promote", "demote", "remove")
OR = " or "
CHANGED = "changed before"
"""The value of a `reconfigure` if no change is possible any more."""


class MemberClient:
    """A client that uses the store like `register` and also changes the members."""

    def __init__(self, session: Session) -> None:
        self._session, self._register = session, RegisterClient(session)

    async def apply(self, op: Op) -> Op:
        """Execute an op of `register`, or a `reconfigure`, which is ok with the change and the server.

        It fails if the change is not possible for any server. Of several changes with "or" between them, the
        first possible one is made.
        """
        if op.f != "reconfigure":
            return await self._register.apply(op)
        configuration = await self._session.configuration()
        for how in op.value.split(OR):
            changed = _changed(configuration, how, self._session.nodes)
            if changed is not None:
                members, whom = changed
                await self._session.change(members)
                return op.ok([how, whom])
        if set(CHANGES) <= set(op.value.split(OR)):
            return op.ok([CHANGED, None])
        raise Refused(f"{op.value}: there is nobody for that")


def _changed(
    configuration: Configuration, how: str, nodes: Sequence[str]
) -> tuple[tuple[Member, ...], int | None] | None:
    """The members after a change, and the server that it concerns; None if the change is not possible now."""
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
    """The operations of `register`; the first of several clients only changes the members."""
    return read_write_cas(plan, rng, besides=stagger(CHANGE_EVERY_S, _changes(rng), rng=rng))


def _changes(rng: random.Random) -> Generator:
    return drawn(lambda rng: OpRequest("reconfigure", rng.choice(CHANGES)), rng=rng)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """The first client makes a last change and gives all members a vote; the others do as in `register`."""
    kinds = sorted(set(CHANGES))
    whatever = OR.join(rng.sample(kinds, len(kinds)))
    settle = [repeat(OpRequest("reconfigure", how)) for how in (whatever, "promote all")]

    def ops_of(thread: int) -> list[Source]:
        return [*(settle if thread == 0 else ()), *one_of_each(thread, rng)]

    return until_done(plan, rng, ops_of)


def checks(plan: Plan, history: History) -> Checks:
    """Each key is linearizable for all memberships; and the membership did change."""
    return {
        "linearizability": lambda: linearizable(_of_registers(history), "keyed-cas-register"),
        "changes": lambda: _changes_made(history),
    }


def _changes_made(history: History) -> Verdict:
    done = history.where(f="reconfigure", type="ok")
    made = [op for op in done if op.value[1] is not None or op.value[0] == CHANGED]
    return Verdict.passed(made=len(made)) if made else Verdict.unknown("the members were always the same")


def _of_registers(history: History) -> History:
    """The history without changes of the membership, which are not operations on registers."""
    return History(replace(op, process=NEMESIS) if op.f == "reconfigure" else op for op in history)


MEMBERSHIP = store_workload(
    name="membership",
    about="Changes of the members: no disjoint quorums decide, and no decision is lost.",
    operations=Operations(MemberClient, use_and_reconfigure, all_at_last),
    checks=checks,
    bugs=MEMBERSHIP_BUGS,
    defaults={"nodes": 5},
    founders=FOUNDERS,
)
