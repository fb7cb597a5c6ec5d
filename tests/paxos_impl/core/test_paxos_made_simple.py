"""A test for each sentence of Lamport's "Paxos Made Simple" (2001) that demands something."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core import (
    RULES,
    Accepted,
    Acceptor,
    BackingOff,
    Ballot,
    Chosen,
    Durable,
    GetRequested,
    Instance,
    Learner,
    Nack,
    Persist,
    Prepare,
    Promise,
    Propose,
    Proposer,
    ProposeRequested,
    Proposing,
    Received,
    Reply,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Unknown,
    Vote,
)
from tests.paxos_impl.core.world import World

ballots = st.builds(Ballot, st.integers(1, 9), st.integers(0, 4))
votes = st.builds(Vote, ballots, st.sampled_from("xyz"))
acceptors = st.builds(
    lambda promised, accepted: Acceptor(max(promised, accepted.ballot) if accepted else promised, accepted),
    ballots,
    st.none() | votes,
)


def sent(effects: list[Any]) -> list[Any]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


# 2.2 Choosing a value.


def test_p1_an_acceptor_accepts_the_first_proposal_that_it_receives() -> None:
    """P1. An acceptor must accept the first proposal that it receives."""
    acceptor, reply = Acceptor().answer(Propose(Ballot(1, 2), "x"), RULES)

    assert reply == Accepted(Ballot(1, 2), "x")
    assert acceptor.accepted == Vote(Ballot(1, 2), "x")


@given(acceptors, ballots)
def test_p1a_an_acceptor_accepts_unless_it_promised_a_higher_ballot(
    acceptor: Acceptor, ballot: Ballot
) -> None:
    """P1a. It can accept a proposal numbered n iff it has not responded to a prepare greater than n."""
    after, reply = acceptor.answer(Propose(ballot, "new"), RULES)

    assert acceptor.promised is not None
    if ballot >= acceptor.promised:
        assert (after.accepted, reply) == (Vote(ballot, "new"), Accepted(ballot, "new"))
    else:
        assert (after, reply) == (acceptor, Nack(ballot, acceptor.promised))


@given(acceptors, st.lists(st.builds(Prepare, ballots) | st.builds(Propose, ballots, st.just("w"))))
def test_a_promise_never_goes_down_and_covers_every_vote(acceptor: Acceptor, requests: list[Any]) -> None:
    for request in requests:
        before = acceptor
        acceptor, _ = acceptor.answer(request, RULES)

        assert acceptor.promised is not None
        assert before.promised is None or acceptor.promised >= before.promised
        assert acceptor.accepted is None or acceptor.accepted.ballot <= acceptor.promised


@given(acceptors, ballots)
def test_a_promise_reports_the_highest_proposal_that_was_accepted(acceptor: Acceptor, ballot: Ballot) -> None:
    """Phase 1 (b): with the highest-numbered proposal (if any) that it has accepted."""
    _, reply = acceptor.answer(Prepare(ballot), RULES)

    assert acceptor.promised is not None
    if ballot >= acceptor.promised:
        assert reply == Promise(ballot, acceptor.accepted)
    else:
        assert reply == Nack(ballot, acceptor.promised)


def test_a_prepare_that_comes_twice_is_promised_twice() -> None:
    """The first promise may have been lost; refusing would end a ballot that nobody competes with."""
    acceptor, first = Acceptor().answer(Prepare(Ballot(1, 1)), RULES)

    assert acceptor.answer(Prepare(Ballot(1, 1)), RULES) == (acceptor, first)


def test_accepting_raises_the_promise_too() -> None:
    """An acceptor that never saw prepare 5 but accepted 5 must not accept 3 afterwards."""
    acceptor, _ = Acceptor().answer(Propose(Ballot(5, 1), "x"), RULES)

    after, reply = acceptor.answer(Propose(Ballot(3, 2), "y"), RULES)

    assert reply == Nack(Ballot(3, 2), Ballot(5, 1))
    assert after == acceptor


@given(st.lists(st.none() | votes, min_size=1))
def test_p2c_the_value_is_that_of_the_highest_proposal_reported(reports: list[Vote | None]) -> None:
    """P2c, phase 2 (a): or is any value if the responses reported no proposals."""
    reported = [vote for vote in reports if vote is not None]

    value = RULES.safe_value(reports, "mine")

    if reported:
        highest = max(vote.ballot for vote in reported)
        assert value in {vote.value for vote in reported if vote.ballot == highest}
    else:
        assert value == "mine"


@pytest.mark.parametrize("value", [0, "", False, [], {}])
def test_a_falsy_value_is_a_value_like_any_other(value: Any) -> None:
    assert RULES.safe_value([None, Vote(Ballot(1, 1), value)], "mine") == value

    world = World()
    world.propose(1, value)
    world.settle()

    assert [world.get(node) for node in (1, 2, 3)] == [Chosen(value, Ballot(1, 1))] * 3


@given(st.integers(1, 99))
def test_any_two_quorums_share_a_member(members: int) -> None:
    """Any two majorities have at least one acceptor in common."""
    assert 2 * RULES.quorum(members) > members
    assert RULES.quorum(members) <= members, "a quorum that can't be had"


def test_a_quorum_counts_acceptors_not_replies() -> None:
    preparing = Proposer().prepare(Ballot(1, 1))
    promise = Promise(Ballot(1, 1))

    twice = preparing.hear(promise, 2, 5, "x", RULES).hear(promise, 2, 5, "x", RULES)
    thrice = twice.hear(promise, 2, 5, "x", RULES)

    assert thrice.phase.promisers == (2,)  # type: ignore[union-attr]


@pytest.mark.parametrize("reply", [Promise(Ballot(1, 1)), Nack(Ballot(1, 1), Ballot(9, 9))])
def test_a_reply_to_an_earlier_ballot_counts_for_nothing(reply: Promise | Nack) -> None:
    preparing = Proposer().prepare(Ballot(1, 1)).prepare(Ballot(2, 1))

    assert preparing.hear(reply, 2, 3, "x", RULES).phase == preparing.phase


def test_a_refusal_is_no_promise_and_teaches_the_higher_ballot() -> None:
    refused = Proposer().prepare(Ballot(1, 1)).hear(Nack(Ballot(1, 1), Ballot(7, 3)), 3, 3, "x", RULES)

    assert isinstance(refused.phase, BackingOff)
    assert refused.highest == Ballot(7, 3)


def test_a_proposal_has_one_value_however_often_it_is_sent() -> None:
    """P2: a proposal is a number and a value; sending it again with another value makes it another one."""
    world = World()
    world.propose(1, "first")
    while not isinstance(world.nodes[1].instance.proposer.phase, Proposing):
        world.deliver(world.flights[0])
    world.propose(1, "second")
    world.fire(1, "retransmit")

    messages = [flight.send.message for flight in world.flights]
    proposed = {(sent.ballot, sent.value) for sent in messages if isinstance(sent, Propose)}

    assert proposed == {(Ballot(1, 1), "first")}


def _is_propose(flight: Any) -> bool:
    return isinstance(flight.send.message, Propose)


# 2.3 Learning a chosen value.


def test_a_value_is_learned_when_a_majority_accepted_it_at_one_ballot() -> None:
    learner = Learner()
    for voter, vote in [
        (1, Vote(Ballot(1, 1), "x")),
        (2, Vote(Ballot(2, 2), "y")),
        (1, Vote(Ballot(1, 1), "x")),
    ]:
        learner = learner.hear(vote, voter, 3, RULES)
    assert learner.chosen is None, "one vote each, and one heard of twice"

    learner = learner.hear(Vote(Ballot(2, 2), "y"), 3, 3, RULES)

    assert learner.chosen == Vote(Ballot(2, 2), "y")


def test_votes_at_different_ballots_make_no_majority_even_for_the_same_value() -> None:
    learner = Learner().hear(Vote(Ballot(1, 1), "x"), 1, 3, RULES).hear(Vote(Ballot(2, 2), "x"), 2, 3, RULES)

    assert learner.chosen is None


@given(st.lists(st.tuples(votes, st.integers(1, 3)), max_size=60))
def test_a_learner_remembers_votes_of_few_ballots_only(heard: list[tuple[Vote, int]]) -> None:
    learner = Learner()
    for vote, voter in heard:
        learner = learner.hear(vote, voter, 99, RULES)

    assert len(learner.tallies) <= 8
    assert learner.chosen is None


def test_what_was_learned_never_changes() -> None:
    learned = Learner().learn(Vote(Ballot(1, 1), "x"))

    assert learned.hear(Vote(Ballot(2, 2), "y"), 1, 1, RULES) == learned
    with pytest.raises(AssertionError, match="became"):
        learned.learn(Vote(Ballot(2, 2), "y"))


def test_a_node_that_missed_every_vote_learns_by_asking_even_if_nobody_knows() -> None:
    """Message loss could mean that no learner ever finds out; then votes are asked for again."""
    world = World()
    world.propose(1, "x")
    while len(world.votes) < 3:
        world.deliver(world.flights[0])
    world.flights.clear()
    assert not world.learned
    assert world.chosen(), "vacuous: nothing was chosen"

    for _ in range(2):
        world.fire(3, "pull")
        world.settle()

    assert world.learned == [(3, Vote(Ballot(1, 1), "x"))]


def test_asking_before_anything_is_known_is_answered_with_that() -> None:
    instance, _ = Instance.recover(1, (1, 2, 3)).step(Started())

    _, effects = instance.step(GetRequested(7))

    assert effects == [Reply(7, Unknown())]


# 2.4 Progress.


def test_a_refused_proposer_waits_longer_each_time_before_it_begins_again() -> None:
    instance, _ = Instance.recover(1, (1, 2, 3)).step(ProposeRequested(1, "x"))
    attempts = []
    for round in (1, 2, 3):
        nack = Nack(Ballot(2 * round - 1, 1), Ballot(2 * round, 3))
        instance, effects = instance.step(Received(nack, 3, f"n3.0.{round}"))
        attempts += [effect.attempt for effect in effects if isinstance(effect, SetTimer)]
        instance, effects = instance.step(TimerFired("back_off"))
        assert Prepare(Ballot(2 * round + 1, 1)) in sent(effects), "a nack teaches the ballot to go above"

    assert attempts == [1, 2, 3]


@pytest.mark.parametrize("phase", ["prepare", "propose"])
def test_what_was_lost_is_sent_again(phase: str) -> None:
    world = World()
    world.propose(1, "x")
    if phase == "propose":
        while not isinstance(world.nodes[1].instance.proposer.phase, Proposing):
            world.deliver(world.flights[0])
    world.flights.clear()

    world.fire(1, "retransmit")
    world.settle()

    assert {node for node, _ in world.learned} == {1, 2, 3}


def test_a_minority_decides_nothing_and_still_answers() -> None:
    world = World()
    world.crash(2)
    world.crash(3)
    world.propose(1, "x")
    for _ in range(5):
        world.settle()
        world.fire(1, "retransmit")

    assert world.get(1) == Unknown()
    assert not world.learned


# 2.5 The implementation.


def test_ballots_of_different_proposers_are_disjoint() -> None:
    """Different proposers choose their numbers from disjoint sets of numbers."""
    assert {RULES.next_ballot(node, None, None, None) for node in range(5)} == {
        Ballot(1, node) for node in range(5)
    }


@given(st.none() | ballots, st.none() | ballots, st.none() | ballots)
def test_a_new_ballot_is_above_all_that_were_used_promised_or_seen(
    own: Ballot | None, promised: Ballot | None, seen: Ballot | None
) -> None:
    """... and begins phase 1 with a higher proposal number than any it has already used."""
    ballot = RULES.next_ballot(3, own, promised, seen)

    assert all(ballot > other for other in (own, promised, seen) if other is not None)


def test_the_tenth_ballot_comes_after_the_ninth() -> None:
    assert Ballot(10, 1) > Ballot(9, 2), "ballots compare as numbers, not as text"


def test_a_prepare_waits_until_its_own_promise_is_durable() -> None:
    """The proposer remembers (in stable storage) the highest-numbered proposal it has tried to issue."""
    _, effects = Instance.recover(1, (1, 2, 3)).step(ProposeRequested(1, "x"))

    persist = next(effect for effect in effects if isinstance(effect, Persist))
    assert persist.state.promised == Ballot(1, 1)
    assert [effect.after for effect in effects if isinstance(effect, Send)] == [persist.n, persist.n]


@pytest.mark.parametrize("request_", [Prepare(Ballot(4, 2)), Propose(Ballot(4, 2), "x")])
def test_an_acceptor_records_its_response_in_stable_storage_before_sending_it(request_: Any) -> None:
    _, effects = Instance.recover(1, (1, 2, 3)).step(Received(request_, 2, "n2.0.1"))

    match effects:
        case [Persist(n, state), Send(after=after)]:
            assert after == n
            assert state.promised == Ballot(4, 2)
        case _:
            pytest.fail(f"expected one persist, then one send, not {effects}")


def test_a_restarted_acceptor_keeps_what_it_promised_and_accepted() -> None:
    state = Durable(Ballot(4, 2), Vote(Ballot(3, 1), "x"))
    instance = Instance.recover(1, (1, 2, 3), incarnation=1, state=state)

    _, refused = instance.step(Received(Propose(Ballot(3, 3), "y"), 3, "n3.0.1"))
    _, promised = instance.step(Received(Prepare(Ballot(5, 3)), 3, "n3.0.2"))

    assert sent(refused) == [Nack(Ballot(3, 3), Ballot(4, 2))]
    assert sent(promised) == [Promise(Ballot(5, 3), Vote(Ballot(3, 1), "x"))]


# What the paper leaves to those who build it.


def test_a_message_from_a_stranger_is_ignored() -> None:
    instance = Instance.recover(1, (1, 2, 3))

    assert instance.step(Received(Prepare(Ballot(9, 9)), 9, "n9.0.1")) == (instance, [])


def test_a_message_about_another_slot_is_ignored() -> None:
    instance = Instance.recover(1, (1, 2, 3))

    assert instance.step(Received(Prepare(Ballot(9, 2), slot=1), 2, "n2.0.1")) == (instance, [])


def test_every_client_that_waits_hears_the_one_decree() -> None:
    world = World()
    first, second = world.propose(1, "x"), world.propose(1, "y")
    third = world.propose(2, "z")
    for _ in range(20):
        world.settle()
        world.fire(2, "back_off")
        world.fire(1, "back_off")

    answers = {request: outcome for _, request, outcome in world.replies}

    assert set(answers) == {first, second, third}
    assert len({outcome.value for outcome in answers.values()}) == 1  # type: ignore[union-attr]


def test_more_clients_than_can_wait_are_refused_at_once() -> None:
    instance = Instance.recover(1, (1, 2, 3))
    for request in range(1000):
        instance, _ = instance.step(ProposeRequested(request, "x"))

    instance, effects = instance.step(ProposeRequested(1000, "x"))

    assert [effect.outcome.why for effect in effects if isinstance(effect, Reply)] == [  # type: ignore[union-attr]
        "1000 proposals are waiting already"
    ]


def test_a_cluster_of_one_decides_alone() -> None:
    world = World((7,))
    world.propose(7, "x")
    world.settle()

    assert world.get(7) == Chosen("x", Ballot(1, 7))
