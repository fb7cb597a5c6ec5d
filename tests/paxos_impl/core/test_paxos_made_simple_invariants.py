"""The sentences of "Paxos Made Simple" that demand something of all that ever happens, at random.

What one acceptor or proposer has to do in a single step is in `test_paxos_made_simple`, and what a log adds
(PMS 3) in `test_log_rules`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core import RULES, Effect, Prepare, Promise, Propose, Rules, Send, Vote
from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.workloads.bugs import DECREE_BUGS
from tests.paxos_impl.core.test_agreement import disturb, heal
from tests.paxos_impl.core.world import World

CLUSTERS = st.sampled_from([(1, 2, 3), (1, 2, 3, 4, 5), (1, 2)])
SEEDS = st.integers(0, 2**32)


@dataclass
class Seen:
    """All proposals that were issued, and what promises had been given for each by then."""

    issued: list[Vote] = field(default_factory=list)
    promises: dict[Ballot, dict[int, Vote | None]] = field(default_factory=dict)
    """By ballot and acceptor, the proposal that it reported as the highest it had accepted."""
    grounds: list[tuple[Vote, dict[int, Vote | None]]] = field(default_factory=list)
    """Each proposal with the promises that had been given for its ballot."""
    prepared: dict[int, list[Ballot]] = field(default_factory=dict)

    def __call__(self, node: int, effect: Effect) -> None:
        match effect:
            case Send(_, Propose(ballot, value)):
                self.issued.append(Vote(ballot, value))
                self.grounds.append((Vote(ballot, value), dict(self.promises.get(ballot, {}))))
            case Send(_, Promise(ballot, accepted)):
                self.promises.setdefault(ballot, {})[node] = accepted
            case Send(_, Prepare(ballot)):
                self.prepared.setdefault(node, []).append(ballot)


def disturbed(seed: int, members: tuple[int, ...], rules: Rules = RULES) -> tuple[World, Seen]:
    seen = Seen()
    world = World(members, rules, watch=seen)
    disturb(world, random.Random(seed), 160)
    return world, seen


def above(ballot: Ballot, proposals: list[Vote]) -> list[Vote]:
    return [proposal for proposal in proposals if proposal.ballot > ballot]


# 2.1 The problem.


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_only_a_value_that_has_been_proposed_may_be_chosen(seed: int, members: tuple[int, ...]) -> None:
    world, _ = disturbed(seed, members)

    assert all(chosen.value in world.proposed for chosen in world.chosen())


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_only_a_single_value_is_chosen(seed: int, members: tuple[int, ...]) -> None:
    world, _ = disturbed(seed, members)

    assert len({chosen.value for chosen in world.chosen()}) <= 1


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_nobody_learns_that_a_value_was_chosen_unless_it_was(seed: int, members: tuple[int, ...]) -> None:
    world, _ = disturbed(seed, members)

    values = {chosen.value for chosen in world.chosen()}
    assert all(vote.value in values for _, vote in world.learned)


# 2.2 Choosing a value.


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_p2_every_higher_proposal_that_is_chosen_has_the_value_that_was(
    seed: int, members: tuple[int, ...]
) -> None:
    world, _ = disturbed(seed, members)

    for chosen in world.chosen():
        assert all(later.value == chosen.value for later in above(chosen.ballot, world.chosen()))


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_p2a_every_higher_proposal_that_any_acceptor_accepts_has_the_value_that_was_chosen(
    seed: int, members: tuple[int, ...]
) -> None:
    world, _ = disturbed(seed, members)

    accepted = [vote for _, vote in world.votes]
    for chosen in world.chosen():
        assert all(later.value == chosen.value for later in above(chosen.ballot, accepted))


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_p2b_every_higher_proposal_that_any_proposer_issues_has_the_value_that_was_chosen(
    seed: int, members: tuple[int, ...]
) -> None:
    world, seen = disturbed(seed, members)

    for chosen in world.chosen():
        assert all(later.value == chosen.value for later in above(chosen.ballot, seen.issued))


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_p2c_each_proposal_rests_on_a_majority_that_reported_nothing_or_its_value_as_the_highest(
    seed: int, members: tuple[int, ...]
) -> None:
    _, seen = disturbed(seed, members)

    assert all(rests_on_a_majority(*ground, members) for ground in seen.grounds)


def rests_on_a_majority(proposal: Vote, promises: dict[int, Vote | None], members: tuple[int, ...]) -> bool:
    """More may have promised by then than the proposer had heard of; a majority among them is its own."""
    return any(
        is_safe(proposal, [promises[member] for member in majority])
        for majority in combinations(promises, len(members) // 2 + 1)
    )


def is_safe(proposal: Vote, reports: list[Vote | None]) -> bool:
    reported = [vote for vote in reports if vote is not None]
    return not reported or proposal.value == max(reported, key=lambda vote: vote.ballot).value


@pytest.mark.parametrize("bug", ["ignore-reported-value", "adopt-lowest-ballot", "promise-omits-accepted"])
def test_these_tests_would_notice(bug: str) -> None:
    broken = False
    for seed in range(300):
        world, seen = disturbed(seed, (1, 2, 3), DECREE_BUGS[bug].breakage)
        values = {chosen.value for chosen in world.chosen()}
        is_unfounded = not all(rests_on_a_majority(*ground, (1, 2, 3)) for ground in seen.grounds)
        broken = broken or is_unfounded or len(values) > 1

    assert broken


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_a_proposal_has_one_value(seed: int, members: tuple[int, ...]) -> None:
    _, seen = disturbed(seed, members)

    values: dict[Ballot, set[object]] = {}
    for proposal in seen.issued:
        values.setdefault(proposal.ballot, set()).add(proposal.value)
    assert all(len(each) == 1 for each in values.values())


# 2.4 Progress.


@given(SEEDS, CLUSTERS)
@settings(max_examples=40)
def test_a_distinguished_proposer_that_reaches_a_majority_gets_a_value_chosen(
    seed: int, members: tuple[int, ...]
) -> None:
    """If it is the only one trying, and eventually uses a number that is high enough."""
    rng = random.Random(seed)
    world = World(members)
    disturb(world, rng, 120)

    heal(world, rng)
    world.propose(members[0], "distinguished")
    heal(world, rng)

    assert all(world.nodes[member].instance.learner.chosen is not None for member in members)
    assert world.agrees()


# 2.5 The implementation.


@given(SEEDS, CLUSTERS)
@settings(max_examples=60)
def test_no_two_proposals_have_the_same_number_and_each_proposer_goes_up(
    seed: int, members: tuple[int, ...]
) -> None:
    """Over restarts too: a proposer remembers in stable storage the highest number that it tried."""
    _, seen = disturbed(seed, members)

    for node, ballots in seen.prepared.items():
        assert all(ballot.server_id == node for ballot in ballots)
        assert ballots == sorted(ballots), "a prepare that is sent again has its own number"


def test_the_schedules_are_not_vacuous() -> None:
    worlds = [disturbed(seed, (1, 2, 3)) for seed in range(40)]

    assert sum(bool(world.chosen()) for world, _ in worlds) >= 20, "hardly any schedule chooses anything"
    later = [above(world.chosen()[0].ballot, seen.issued) for world, seen in worlds if world.chosen()]
    assert sum(map(bool, later)) >= 5, "hardly any schedule goes on after something was chosen"
