"""While a leader reads by its lease nobody else can lead, as long as clocks drift no more than is said."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    LOG_RULES,
    ClockReading,
    Decline,
    LeaseConfig,
    Query,
    Received,
    Replica,
    Started,
)
from ostrakon.paxos_impl.core.multi.message import (
    Heartbeat,
    HeartbeatResponse,
    Message,
    Nack,
    Prepare,
    PreVote,
    PreVoteResponse,
    Promise,
)
from tests.paxos_impl.core.multi.timed_world import TERMS, TimedWorld, pass_time

TRUSTED_S = TERMS.length_s * 0.8 / 1.2


def led_by(node: int, members: tuple[int, ...] = (1, 2, 3)) -> TimedWorld:
    world = TimedWorld(members)
    world.elect(node)
    return world


def reads(world: TimedWorld, node: int) -> list[str]:
    """How a read is answered at once, without a message; empty if it is not."""
    before = len(world.answers)
    world.read(node)
    return [answer.how for answer in world.answers[before:] if isinstance(answer, Query)]


# In any schedule.


@given(seed=st.integers(0, 2**32), members=st.sampled_from([(1, 2, 3), (1, 2, 3, 4, 5), (1, 2)]))
@settings(max_examples=150)
def test_no_schedule_has_a_leader_read_by_its_lease_when_another_can_lead(
    seed: int, members: tuple[int, ...]
) -> None:
    world = TimedWorld(members)

    pass_time(world, random.Random(seed), 20)

    world.require_agreement()


def test_the_schedules_are_not_vacuous() -> None:
    worlds = [TimedWorld() for _ in range(20)]
    for seed, world in enumerate(worlds):
        pass_time(world, random.Random(seed), 20)

    assert sum(world.lease_reads for world in worlds) >= 200, "hardly any read is by lease"
    assert sum(len(world.led) > 1 for world in worlds) >= 10, "hardly any leader changes"


# A leader.


def test_a_leader_that_holds_a_lease_answers_at_once() -> None:
    world = led_by(1)

    assert reads(world, 1) == ["lease"]
    assert not world.flights


def test_a_lease_counts_from_when_it_was_asked_for() -> None:
    world = led_by(1)
    world.fire(1, "heartbeat")
    world.wait(TRUSTED_S / 2)
    world.settle()  # The answers come when half of it is over.

    world.wait(TRUSTED_S * 0.45)
    assert reads(world, 1) == ["lease"]
    world.wait(TRUSTED_S * 0.1)
    assert reads(world, 1) == []


def test_a_leader_trusts_its_lease_for_less_than_followers_are_bound() -> None:
    """As slow as its clock may be, and as fast as theirs, they are bound for longer."""
    slow, fast = 1 - TERMS.drift, 1 + TERMS.drift

    assert LOG_RULES.trusted_s(TERMS) / slow <= TERMS.length_s / fast


@given(st.floats(0.001, 100), st.floats(0, 0.99))
def test_whatever_the_terms_a_leader_trusts_no_grant_for_longer_than_it_lasts(
    length: float, drift: float
) -> None:
    trusted_s = LOG_RULES.trusted_s(LeaseConfig(length, drift))

    assert 0 < trusted_s <= length
    assert trusted_s / (1 - drift) <= length / (1 + drift) * (1 + 1e-9)


def test_a_leader_without_a_quorum_of_grants_asks_before_it_answers() -> None:
    world = led_by(1, (1, 2, 3, 4, 5))
    world.wait(TERMS.length_s)
    world.fire(1, "heartbeat")
    world.settle(without=(3, 4, 5))

    assert reads(world, 1) == []


def test_an_answer_that_grants_nothing_is_no_grant() -> None:
    world = led_by(1)
    world.wait(TERMS.length_s)
    world.fire(1, "heartbeat")
    for flight in world.sent(Heartbeat):
        world.deliver(flight)
    world.flights = [flight for flight in world.flights if not isinstance(flight.message, HeartbeatResponse)]

    assert reads(world, 1) == []


def test_time_that_passed_while_a_machine_was_suspended_counts() -> None:
    """Its monotonic clock knows nothing of it, but the wall clock does."""
    world = led_by(1)
    world.suspend(1, TRUSTED_S * 1.01)

    assert reads(world, 1) == []


def test_a_lease_is_not_lengthened_by_setting_the_wall_clock_back() -> None:
    world = led_by(1)
    world.set_wall(1, -3600)
    world.wait(TRUSTED_S)

    assert reads(world, 1) == []


def test_a_wall_clock_that_is_set_forward_ends_a_lease_and_the_next_one_is_as_good_as_any() -> None:
    world = led_by(1)
    world.set_wall(1, 3600)
    assert reads(world, 1) == []

    world.settle()
    world.fire(1, "heartbeat")
    world.settle()
    assert reads(world, 1) == ["lease"]


def test_a_leader_that_gives_up_has_no_lease() -> None:
    world = led_by(1)
    world.step(1, _nack_of(world, 1))

    before = len(world.answers)
    world.read(1)
    assert all(isinstance(answer, Decline) for answer in world.answers[before:])


def test_one_replica_alone_can_be_overtaken_by_nobody() -> None:
    world = led_by(7, (7,))
    world.wait(3600)

    assert reads(world, 7) == ["lease"]


def test_reads_that_wait_are_answered_as_soon_as_there_is_a_lease() -> None:
    world = led_by(1)
    world.wait(TERMS.length_s)
    world.fire(1, "heartbeat")
    world.read(1)
    [answered] = [flight for flight in world.sent(Heartbeat) if flight.to == 2 and flight.message.number]
    world.deliver(answered)
    before = len(world.answers)

    world.deliver(world.sent(HeartbeatResponse)[0])

    assert [answer.how for answer in world.answers[before:] if isinstance(answer, Query)] == ["lease"]


# A follower.


def test_who_granted_a_lease_promises_nothing_to_others_until_it_has_run_out_by_its_own_clock() -> None:
    world = led_by(1)
    prepare = Prepare(_ballot_of(world, 1)._replace(round=9, server_id=3), 1)

    world.wait(TERMS.length_s * 0.99)
    world.step(2, _received(prepare, 3))
    assert not world.sent(Promise)
    world.wait(TERMS.length_s * 0.02)
    world.step(2, _received(prepare, 3))
    assert [flight.sender for flight in world.sent(Promise)] == [2]


def test_who_granted_a_lease_neither_supports_others_nor_stands_itself() -> None:
    world = led_by(1)
    world.fire(2, "election")
    world.step(2, _received(PreVote(1), 3))
    assert not world.flights

    world.wait(TERMS.length_s)
    world.fire(2, "election")
    world.step(2, _received(PreVote(2), 3))
    assert {type(flight.message) for flight in world.flights} == {PreVote, PreVoteResponse}


def test_the_holder_itself_is_promised_a_higher_ballot() -> None:
    world = led_by(1)
    higher = _ballot_of(world, 1)._replace(round=9)

    world.step(2, _received(Prepare(higher, 1), 1))

    assert world.sent(Promise)


def test_a_grant_to_one_leader_is_not_forgotten_for_another() -> None:
    """One that was deposed, and does not know, may still ask."""
    world = led_by(1)
    [before] = {node.replica.grant for number, node in world.nodes.items() if number == 2}
    deposed = _ballot_of(world, 1)._replace(round=2, server_id=3)

    world.step(2, _received(Heartbeat(deposed, 0, 1, TERMS.length_s), 3))

    [heard] = [flight.message for flight in world.sent(HeartbeatResponse)]
    assert not heard.is_granted
    assert world.nodes[2].replica.grant == before


def test_after_a_restart_a_replica_promises_nothing_for_a_whole_lease() -> None:
    world = led_by(1)
    world.crash(2)
    world.restart(2)
    prepare = Prepare(_ballot_of(world, 1)._replace(round=9, server_id=3), 1)

    world.step(2, _received(prepare, 3))
    assert not world.sent(Promise)
    world.wait(TERMS.length_s)
    world.step(2, _received(prepare, 3))
    assert world.sent(Promise)


def test_nobody_waits_before_its_first_promise() -> None:
    replica, _ = Replica.recover(1, (1, 2, 3), lease_config=TERMS).step(Started(), ClockReading(5.0))

    assert replica.grant is None


def test_more_than_a_restart_waits_for_is_not_granted() -> None:
    world = led_by(1)
    ballot = _ballot_of(world, 1)

    world.step(2, _received(Heartbeat(ballot, 0, 7, TERMS.length_s * 2), 1))

    assert [flight.message.is_granted for flight in world.sent(HeartbeatResponse)] == [False]


# Ways to read.


def test_a_read_by_index_asks_a_quorum_whether_there_is_a_lease_or_not() -> None:
    world = led_by(1)
    world.read(1, "index")

    assert world.sent(Heartbeat)
    world.settle()
    assert [answer.how for answer in world.answers if isinstance(answer, Query)] == ["index"]


def test_who_asks_for_what_may_be_stale_is_answered_by_anybody() -> None:
    world = led_by(1)
    for node in (1, 2, 3):
        world.read(node, "stale")

    assert [answer.how for answer in world.answers if isinstance(answer, Query)] == ["stale"] * 3


@pytest.mark.parametrize(("length", "drift"), [(0, 0.1), (-1, 0.1), (1, 1.0), (1, -0.1)])
def test_terms_that_make_no_sense_are_refused(length: float, drift: float) -> None:
    with pytest.raises(ValueError, match="a lease has a length above 0"):
        LeaseConfig(length, drift)


def test_without_terms_no_lease_is_asked_for_and_reads_ask_a_quorum() -> None:
    world = TimedWorld(lease_config=None)
    world.elect(1)
    world.read(1)

    assert {flight.message.lease_s for flight in world.sent(Heartbeat)} == {0.0}
    world.settle()
    assert [answer.how for answer in world.answers if isinstance(answer, Query)] == ["index"]
    assert world.nodes[2].replica.grant is None


def _received(message: Message, sender: int) -> Received:
    return Received(message, sender, f"n{sender}.0.0")


def _nack_of(world: TimedWorld, node: int) -> Received:
    ballot = _ballot_of(world, node)
    return _received(Nack(ballot, ballot._replace(round=99)), 2)


def _ballot_of(world: TimedWorld, node: int) -> Ballot:
    ballot = world.nodes[node].replica.own_ballot
    assert ballot is not None, f"n{node} never stood for election"
    return ballot
