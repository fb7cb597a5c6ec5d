"""The random schedules can tell Paxos from what only looks like it: breaking a rule splits some run."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from ostrakon.paxos_impl.core import Acceptor, Ballot, Durable, Nack, Promise, Rules, Value, Vote
from tests.paxos_impl.core.test_agreement import disturb
from tests.paxos_impl.core.world import World


class OwnValue(Rules):
    def safe_value(self, reports: Sequence[Vote | None], wanted: Value) -> Value:
        return wanted


class Silent(Rules):
    def reported(self, acceptor: Acceptor) -> Vote | None:
        return None


class Forgetful(Rules):
    def durable(self, state: Durable) -> Durable:
        return Durable(None, None, state.chosen)


class HalfQuorum(Rules):
    def quorum(self, members: int) -> int:
        return members // 2


class Pushover(Rules):
    def may_accept(self, acceptor: Acceptor, ballot: Ballot) -> bool:
        return True


class Nameless(Rules):
    def next_ballot(
        self, server_id: int, own: Ballot | None, promised: Ballot | None, seen: Ballot | None
    ) -> Ballot:
        return super().next_ballot(0, own, promised, seen)


class CountsTwice(Rules):
    def with_voter(self, voters: tuple[int, ...], voter: int) -> tuple[int, ...]:
        return (*voters, voter)


class TakesNoForYes(Rules):
    def counts_promise(self, ballot: Ballot, reply: Promise | Nack) -> bool:
        return reply.ballot == ballot


class Restless(Rules):
    def resent_value(self, proposed: Value, wanted: Value) -> Value:
        return wanted


@pytest.mark.parametrize(
    "rules",
    [
        OwnValue,
        Silent,
        Forgetful,
        HalfQuorum,
        Pushover,
        Nameless,
        CountsTwice,
        TakesNoForYes,
        Restless,
    ],
)
def test_without_this_rule_some_schedule_splits_the_decision(rules: type[Rules]) -> None:
    assert any(_splits(seed, rules()) for seed in range(1500))


def _splits(seed: int, rules: Rules) -> bool:
    world = World(rules=rules)
    disturb(world, random.Random(seed), 200)
    return not world.agrees()
