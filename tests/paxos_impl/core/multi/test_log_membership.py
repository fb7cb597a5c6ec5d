"""Members come and go by decisions of the log; each slot is decided by a quorum of those it belongs to."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi import (
    CLUSTER,
    Cell,
    Changed,
    Command,
    Configuration,
    Decline,
    Drained,
    Learned,
    Log,
    Member,
    Received,
    Recovered,
    Rejected,
    Replica,
    Send,
    Submitted,
)
from ostrakon.paxos_impl.core.multi.command import Queued
from ostrakon.paxos_impl.core.multi.configuration import ALPHA, founded_by, in_force, is_change, since
from ostrakon.paxos_impl.core.multi.leader import WINDOW
from ostrakon.paxos_impl.core.multi.message import Heartbeat, Prepare, PreVote, Propose
from ostrakon.paxos_impl.core.multi.phase import Following, Leading
from tests.paxos_impl.core.multi.log_world import NEVER, OFTEN, LogWorld, decide, disturb, heal

THREE = tuple(map(Member, (1, 2, 3)))
LEARNER = Member(4, votes=False)
FOUR = (*THREE, Member(4))
STEPS = 5000
"""Enough for several changes: each takes ALPHA slots to be in force."""


def led_by_1(compacting: bool = False) -> LogWorld:
    world = LogWorld((1, 2, 3), compaction=OFTEN if compacting else NEVER)
    world.elect(1)
    return world


def settle(world: LogWorld, **without: tuple[int, ...]) -> None:
    """Let everybody hear of everything, and of what that leads to."""
    for _ in range(3):
        world.fire(1, "heartbeat")
        world.settle(**without)


def with_learner(compacting: bool = False) -> LogWorld:
    """A cluster that replica 4 follows."""
    world = led_by_1(compacting)
    for number in range(6):
        world.submit(1, number)
        world.settle()
    world.join(4)
    world.change(1, (*THREE, LEARNER))
    settle(world)
    return world


def with_four(compacting: bool = False) -> LogWorld:
    """A cluster in which replica 4 has got a vote."""
    world = with_learner(compacting)
    world.change(1, FOUR)
    settle(world)
    return world


def refusals(world: LogWorld) -> list[str]:
    return [answer.why for answer in world.answers if isinstance(answer, Rejected)]


# What must hold whatever happens.


@given(seed=st.integers(0, 2**32), compacts=st.booleans())
@settings(max_examples=20)
def test_no_schedule_of_changes_makes_replicas_differ(seed: int, compacts: bool) -> None:
    rng = random.Random(seed)
    world = LogWorld((1, 2, 3), compaction=OFTEN if compacts else NEVER)

    disturb(world, rng, STEPS, changes=True)

    world.require_agreement()


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_once_faults_stop_all_members_execute_everything(seed: int) -> None:
    rng = random.Random(seed)
    world = LogWorld((1, 2, 3), compaction=OFTEN)
    disturb(world, rng, STEPS, changes=True)

    heal(world, rng)
    decide(world, rng, "last")

    members = world.nodes[world.leaders[0]].replica.configurations[-1].ids
    assert all("last" in world.ops(member) for member in members)
    world.require_agreement()


def test_the_random_schedules_change_members() -> None:
    versions = []
    for seed in range(12):
        world = LogWorld((1, 2, 3), compaction=OFTEN)
        disturb(world, random.Random(seed), STEPS, changes=True)
        versions.append(max(node.replica.configurations[-1].version for node in world.nodes.values()))

    assert sum(version >= 2 for version in versions) >= 5


# When a change is in force.


def test_a_change_is_in_force_a_fixed_number_of_slots_after_its_own() -> None:
    world = with_learner()

    request = world.change(1, FOUR)
    settle(world)

    newest = world.nodes[1].replica.configurations[-1]
    decided = [slot for slot, batch in world.nodes[1].applied if any(map(is_change, batch))]
    assert newest.from_slot == decided[-1] + ALPHA
    assert newest.voters == (1, 2, 3, 4)
    assert world.answers[-1] == Changed(request, newest.from_slot - 1, is_made=True)


def test_no_ops_bring_on_the_slot_from_which_a_change_is_in_force() -> None:
    world = with_four()

    assert world.nodes[1].replica.applied >= world.nodes[1].replica.configurations[-1].from_slot - 1


def test_slots_before_that_are_decided_by_the_members_of_before() -> None:
    world = with_learner()
    world.change(1, FOUR)
    world.settle(without=(3, 4))  # Two of three are a quorum, two of four are none.
    start = world.nodes[1].replica.configurations[-1].from_slot

    world.submit(1, "late")
    world.settle(without=(3, 4))

    decided = [learned.slot for node, learned in world.learned if node == 1]
    assert max(decided) == start - 1
    settle(world, without=(4,))
    assert "late" in world.ops(1)


def test_who_asked_is_answered_when_a_quorum_needs_the_members_of_before_no_more() -> None:
    world = with_four()
    before = len(world.answers)

    request = world.change(1, (*THREE[:2], Member(4)))
    world.settle(without=(4,))
    assert world.nodes[1].replica.configurations[-1].from_slot == world.nodes[1].replica.commit_index + 1
    assert world.answers[before:] == [], "nobody but the leader is known to know"
    settle(world, without=(4,))

    assert [answer.request for answer in world.answers[before:]] == [request]


@given(seed=st.integers(0, 2**32), compacts=st.booleans())
@settings(max_examples=50)
def test_whoever_is_removed_can_be_switched_off_as_soon_as_that_is_done(seed: int, compacts: bool) -> None:
    """And then, though all power fails, one of the three that are left may be lost: the other two decide."""
    rng = random.Random(seed)
    world = with_four(compacting=compacts)
    request = world.change(1, (Member(1), *FOUR[2:]))
    while Changed(request, changed_at(world.answers[-1]), is_made=True) != world.answers[-1]:
        if rng.random() < 0.02 or not world.flights:
            world.fire(1, "heartbeat")
        elif rng.random() < 0.1:
            world.drop(rng.choice(world.flights))
        else:
            world.deliver(rng.choice(world.flights), sync=rng.random() < 0.5)
    world.sync(1)
    for member in FOUR:
        world.crash(member.id)
    lost = rng.choice((1, 3, 4))
    world.flights.clear()
    world.members = tuple(member for member in (1, 3, 4) if member != lost)
    world.nodes = {member: world.nodes[member] for member in world.members}

    for _ in range(100):
        for left in world.members:
            if not world.nodes[left].up:
                world.restart(left)
            world.fire(left, "election")
        world.settle()
        if world.leaders:
            break

    [leader] = world.leaders
    world.submit(leader, "after")
    world.settle()
    assert world.ops(leader)[-1] == "after"


def test_a_request_for_what_is_decided_waits_like_the_first_until_it_is_in_force() -> None:
    world = with_four()
    world.change(1, THREE)
    world.settle(without=(4,))

    again = world.change(1, THREE)
    assert world.answers[-1].request != again
    settle(world)

    assert world.answers[-1].request == again


def test_who_waits_for_a_change_when_the_leader_gives_up_does_not_know_how_it_ends() -> None:
    world = with_four()
    request = world.change(1, THREE)
    world.settle(without=(4,))

    world.step(1, Received(Prepare(Ballot(9, 2), world.nodes[1].replica.commit_index + 1), 2, "n2.0.99"))

    assert world.answers[-1] == Decline(request, None, maybe=True)


def test_nobody_proposes_further_ahead_than_it_knows_who_decides() -> None:
    assert WINDOW <= ALPHA


def test_a_change_that_was_meant_for_another_configuration_is_not_made() -> None:
    """Two leaders, one after the other, decide on changes of the same configuration: the first counts."""
    world = led_by_1()
    world.change(1, (*THREE, LEARNER))
    for flight in world.sent(Propose):
        if flight.to == 2:
            world.deliver(flight)
    world.flights.clear()
    world.crash(1)
    world.fire(3, "election")
    world.flights.clear()
    world.fire(2, "election")
    while 2 not in world.leaders:
        world.deliver(world.flights[0])
    request = world.change(2, (*THREE, Member(5, votes=False)))
    world.settle()

    assert [answer.is_made for answer in world.answers if isinstance(answer, Changed)] == [False]
    assert request == world.answers[-1].request
    assert world.nodes[2].replica.configurations[-1].ids == (1, 2, 3, 4)


# Joining.


def test_a_learner_follows_the_log_from_its_beginning() -> None:
    world = with_learner()

    assert world.ops(4)[:6] == list(range(6))
    assert world.nodes[4].replica.configurations[-1].ids == (1, 2, 3, 4)


def test_a_learner_that_joins_when_the_beginning_is_gone_takes_a_snapshot() -> None:
    world = with_learner(compacting=True)

    assert world.ops(4)[:6] == list(range(6))
    assert 4 in [node for node, _ in world.installed]
    assert world.nodes[4].replica.configurations == world.nodes[1].replica.configurations


def test_a_learner_neither_decides_nor_stands_for_election() -> None:
    world = with_learner()
    world.submit(1, "x")
    assert 4 not in [flight.to for flight in world.sent(Propose)]
    world.settle(without=(2, 3))

    world.fire(4, "election")
    world.fire(4, "election")

    assert not world.sent(PreVote)
    assert "x" not in world.ops(1)


def test_a_server_gets_no_vote_before_it_has_caught_up() -> None:
    world = led_by_1()
    for number in range(ALPHA + 2):
        world.submit(1, number)
        world.settle()
    world.join(4)
    world.change(1, (*THREE, LEARNER))
    world.settle(without=(4,))
    for _ in range(2):
        world.fire(1, "heartbeat")
        world.settle(without=(4,))

    world.change(1, FOUR)
    assert refusals(world) == ["server 4 has to catch up with the log before it gets a vote"]
    settle(world)
    request = world.change(1, FOUR)
    settle(world)

    assert world.answers[-1].request == request
    assert world.nodes[4].replica.configurations[-1].voters == (1, 2, 3, 4)


def test_a_new_voter_counts_and_can_lead() -> None:
    world = with_four()
    world.crash(1)
    world.crash(2)
    world.fire(3, "election")
    world.flights.clear()
    world.fire(4, "election")
    world.settle()
    assert world.leaders == [], "two of four are no quorum"

    world.restart(2)
    for member in (2, 3):
        world.fire(member, "election")
    world.flights.clear()
    world.fire(4, "election")
    world.settle()

    assert world.leaders == [4]


def test_who_leads_prepares_a_member_of_which_it_has_no_promise() -> None:
    world = with_learner()
    phase = world.nodes[1].replica.phase

    assert isinstance(phase, Leading)
    assert not world.sent(Prepare), "three promises are a quorum of four"


# Leaving.


def test_a_removed_leader_decides_what_it_still_has_to_and_goes() -> None:
    world = with_four()
    world.change(1, FOUR[1:])
    settle(world)

    assert isinstance(world.nodes[1].replica.phase, Following)
    for member in (2, 3):
        world.fire(member, "election")
    world.flights.clear()
    world.fire(4, "election")
    world.settle()
    world.submit(4, "after")
    world.settle()
    assert world.leaders == [4]
    assert world.ops(2)[-1] == "after"


def test_a_removed_member_does_not_stand_for_election_and_is_heard_by_nobody() -> None:
    world = with_four()
    world.change(1, FOUR[:2])
    settle(world)
    newest = world.nodes[1].replica.configurations
    assert [configuration.voters for configuration in newest] == [(1, 2)]
    before = world.nodes[2].replica

    world.step(2, Received(Prepare(Ballot(9, 3), 1), 3, "n3.0.99"))

    assert world.nodes[2].replica.promised == before.promised
    world.submit(1, "two")
    world.settle()
    assert world.ops(2)[-1] == "two"


def test_an_id_is_not_given_again() -> None:
    world = with_four()
    world.change(1, THREE)
    settle(world)

    world.change(1, (*THREE, LEARNER))

    assert refusals(world) == ["4 is the id of a former member; 5 would be free"]


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (FOUR, "server 4 has to be a learner before it gets a vote"),
        ((*THREE, Member(3)), "a server can't be a member twice"),
        ((Member(1, votes=False),), "somebody has to vote"),
        ((), "somebody has to vote"),
    ],
)
def test_what_makes_no_sense_is_refused(members: tuple[Member, ...], why: str) -> None:
    world = led_by_1()

    world.change(1, members)

    assert refusals(world) == [why]


def test_one_change_is_made_at_a_time() -> None:
    world = led_by_1()

    world.change(1, (*THREE, LEARNER))
    world.change(1, (*THREE, Member(5, votes=False)))

    assert refusals(world) == ["another change is under way"]


def test_who_does_not_lead_says_who_does() -> None:
    world = led_by_1()

    request = world.change(2, (*THREE, LEARNER))

    assert world.answers == [Decline(request, 1, maybe=False)]


def test_clients_can_t_pass_a_command_off_as_a_change() -> None:
    world = led_by_1()

    world.step(1, Submitted(7, Command(CLUSTER + "me", 1, ["put", "x", 1]), 20))

    assert [answer.request for answer in world.answers if isinstance(answer, Rejected)] == [7]


# Configurations.


def test_a_slot_belongs_to_the_newest_configuration_that_begins_at_or_before_it() -> None:
    first = founded_by((1, 2, 3))
    second = Configuration(1, FOUR, 5, from_slot=20)

    assert [in_force((first, second), slot).version for slot in (1, 19, 20, 99)] == [0, 0, 1, 1]
    assert since((first, second), 19) == (first, second)
    assert since((first, second), 20) == (second,)


def changed_at(answer: object) -> int:
    return answer.slot if isinstance(answer, Changed | Learned) else 0


def test_members_hear_from_who_leads_though_they_do_not_know_it_yet() -> None:
    """Who was away when members changed can catch up with those who came meanwhile."""
    world = LogWorld((1, 2, 3))

    world.step(2, Received(Heartbeat(Ballot(5, 7), 3, 1), 7, "n7.0.1"))

    assert world.nodes[2].replica.leader == 7


def test_a_leader_does_not_wait_to_propose_in_slots_that_it_has_learned_from_others() -> None:
    """The promise of the other member of the new configuration came late, and is about slots from 19 on."""
    noop = Vote(Ballot(2, 2), ())
    log = Log.of({slot: Cell(noop, noop) for slot in range(1, 19)})
    newest = Configuration(1, (Member(2), Member(3)), 4, from_slot=17)
    replica = Replica.recover(3, newest, state=Recovered(Ballot(3, 3), log, 18))
    leading = Leading(Ballot(3, 3), next_slot=17, last_reported=17, promisers={3: 1, 2: 19})
    command = Queued(Command("c", 1, "x"), 20)
    replica = msgspec.structs.replace(replica, phase=leading, queue=(command,), applied=18)

    _, effects = replica.step(Drained())

    proposed = [effect.message for effect in effects if isinstance(effect, Send)]
    assert Propose(Ballot(3, 3), 19, (command.command,)) in proposed
