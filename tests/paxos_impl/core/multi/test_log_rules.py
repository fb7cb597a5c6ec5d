"""What a log adds to Basic Paxos, sentence by sentence; PMS 3 is where the paper says it."""

from __future__ import annotations

from random import Random

import pytest

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    NOOP,
    Command,
    Configuration,
    Decline,
    Drained,
    Entry,
    Log,
    Member,
    Overloaded,
    Query,
    Received,
    Replica,
    Send,
    SetTimer,
    Submitted,
    TimerFired,
)
from ostrakon.paxos_impl.core.multi.acceptor import LAG_MAX, VOTES_AHEAD_MAX
from ostrakon.paxos_impl.core.multi.leader import BATCH_BYTES_MAX, WAITING_MAX, WINDOW
from ostrakon.paxos_impl.core.multi.log import Cell
from ostrakon.paxos_impl.core.multi.message import (
    Accepted,
    Ask,
    Heartbeat,
    Nack,
    Prepare,
    PreVote,
    PreVoteResponse,
    Promise,
    Propose,
    Tell,
)
from ostrakon.paxos_impl.core.multi.phase import Following
from ostrakon.paxos_impl.server.timing import ReplicaTiming
from tests.paxos_impl.core.multi.log_world import LogWorld


def led_by(node: int, members: tuple[int, ...] = (1, 2, 3)) -> LogWorld:
    world = LogWorld(members)
    world.elect(node)
    return world


def submit_only_to(world: LogWorld, leader: int, others: tuple[int, ...], op: object) -> None:
    """The leader proposes, and its proposal reaches only itself and these; nothing comes back."""
    world.submit(leader, op)
    for flight in world.sent(Propose):
        if flight.to in (leader, *others):
            world.deliver(flight)
    world.drop(*world.flights)


# A leader.


def test_a_leader_decides_without_preparing_again() -> None:
    world = led_by(1)

    for number in range(5):
        world.submit(1, number)
        assert not world.sent(Prepare)
        world.settle()

    assert world.ops(1) == [0, 1, 2, 3, 4]


def test_one_prepare_is_for_all_slots_that_are_open() -> None:
    world = led_by(1)
    world.submit(1, "a")
    world.settle()
    submit_only_to(world, 1, (2,), "b")
    submit_only_to(world, 1, (2,), "c")

    world.elect(2)

    assert world.ops(2) == ["a", "b", "c"]
    assert world.nodes[2].replica.own_ballot is not None
    prepared = [entry.ballot for _, entry in world.votes if entry.slot == 3]
    assert set(prepared) == {Ballot(1, 1), world.nodes[2].replica.own_ballot}


def test_a_promise_tells_of_votes_in_slots_that_are_known_to_be_chosen_too() -> None:
    """Or else a candidate who does not know of them could have something else chosen there."""
    world = led_by(1)
    world.submit(1, "a")
    world.settle(without=(3,))

    world.crash(1)
    world.elect(3)

    assert world.ops(2) == world.ops(3) == ["a"]
    world.require_agreement()


def test_a_slot_that_nobody_reports_is_filled_with_a_no_op() -> None:
    world = led_by(1)
    world.submit(1, "lost")
    world.drop(*(flight for flight in world.flights if flight.to != 1))
    submit_only_to(world, 1, (2,), "kept")
    world.crash(1)

    world.elect(2)

    assert world.nodes[2].applied[0] == (1, NOOP)
    assert world.ops(3) == ["kept"]


def test_what_a_minority_voted_for_is_chosen_by_a_leader_who_hears_of_it() -> None:
    world = led_by(1, (1, 2, 3, 4, 5))
    submit_only_to(world, 1, (2,), "a")
    world.crash(1)

    world.elect(2)

    assert world.ops(5) == ["a"]


def test_several_slots_are_under_way_at_once_and_executed_in_order() -> None:
    world = led_by(1)
    for number in range(3):
        world.submit(1, number)

    proposals = world.sent(Propose)
    for flight in reversed(proposals):
        world.deliver(flight)
    world.settle()

    assert len({flight.message.slot for flight in proposals}) == 3
    assert world.ops(1) == world.ops(2) == [0, 1, 2]


def test_no_more_slots_are_under_way_than_the_window_allows_and_what_waits_is_batched() -> None:
    world = led_by(1)
    for number in range(WINDOW + 10):
        world.submit(1, number)

    under_way = {flight.message.slot for flight in world.sent(Propose)}
    world.settle()

    assert len(under_way) == WINDOW
    assert world.ops(2) == list(range(WINDOW + 10))
    assert world.nodes[1].replica.applied == WINDOW + 1


def test_commands_that_come_together_are_decided_together() -> None:
    replica = led_by(1).nodes[1].replica
    for number in range(3):
        replica, effects = replica.step(Submitted(number, Command(f"c{number}", 1, number), 10))
        assert effects == []

    _, effects = replica.step(Drained())

    [send] = [effect for effect in effects if isinstance(effect, Send)]
    assert isinstance(send.message, Propose)
    assert [command.op for command in send.message.batch] == [0, 1, 2]


def test_a_batch_is_no_longer_than_a_promise_can_report() -> None:
    world = led_by(1)
    for number in range(WINDOW + 4):
        world.step(1, Submitted(number, Command(f"c{number}", 1, number), BATCH_BYTES_MAX // 2))
    world.settle()

    assert max(len(batch) for _, batch in world.nodes[1].applied) == 2


def test_a_proposal_that_was_lost_is_sent_again() -> None:
    world = led_by(1)
    world.submit(1, "a")
    world.drop(*world.flights)

    world.fire(1, "heartbeat")
    world.settle()
    world.fire(1, "heartbeat")
    world.settle()

    assert world.ops(3) == ["a"]


def test_who_does_not_lead_says_who_does() -> None:
    world = led_by(1)

    request = world.submit(2, "a")

    assert world.answers == [Decline(request, 1, maybe=False)]


def test_a_leader_that_is_overtaken_says_which_commands_may_be_executed_yet() -> None:
    world = led_by(1)
    requests = [world.submit(1, number) for number in range(WINDOW + 1)]
    world.drop(*world.flights)

    world.elect(2)

    assert isinstance(world.nodes[1].replica.phase, Following)
    declined = {answer.request: answer.maybe for answer in world.answers if isinstance(answer, Decline)}
    assert declined == {request: request != requests[-1] for request in requests}


def test_a_command_that_is_sent_twice_is_proposed_once() -> None:
    world = led_by(1)
    command = Command("c", 1, "a")
    world.step(1, Submitted(101, command, 10))
    world.step(1, Submitted(102, command, 10))
    world.settle()

    assert world.ops(1) == ["a"]
    assert world.executed == {101: 1, 102: 1}


def test_more_commands_than_can_wait_are_refused() -> None:
    world = led_by(1)
    for number in range(WAITING_MAX + 1):
        world.nodes[1].replica, effects = world.nodes[1].replica.step(
            Submitted(number, Command(f"c{number}", 1, number), 10)
        )

    assert effects == [Overloaded(WAITING_MAX)]


# Learning.


def test_a_follower_learns_from_the_commit_index_what_it_voted_for_at_that_ballot() -> None:
    world = led_by(1)
    world.submit(1, "a")

    world.settle()

    assert not world.sent(Tell)
    assert [how.how for node, how in world.learned if node == 2] == ["told"]
    assert world.ops(2) == ["a"]


def test_an_older_vote_is_no_proof_of_what_was_chosen() -> None:
    """A leader knows slot 1 to be chosen; who voted in it at a lower ballot must ask what it holds."""
    world = led_by(1, (1, 2, 3, 4, 5))
    submit_only_to(world, 1, (2,), "old")
    for member in (3, 4, 5):
        world.fire(member, "election")
    world.drop(*(flight for flight in world.flights if {flight.sender, flight.to} & {1, 2}))
    world.settle(without=(1, 2))
    [leader] = [member for member in world.leaders if member != 1]
    world.submit(leader, "new")
    world.settle(without=(1, 2))

    world.fire(leader, "heartbeat")
    for flight in world.sent(Heartbeat):
        if flight.to == 2:
            world.deliver(flight)

    assert world.ops(2) == []
    assert [flight.to for flight in world.sent(Ask)] == [leader]
    world.settle(without=(1,))
    assert world.ops(2) == ["new"]


def test_who_missed_many_slots_is_told_of_all_of_them() -> None:
    world = led_by(1)
    for number in range(150):
        world.submit(1, number)
        world.settle(without=(3,))

    world.fire(1, "heartbeat")
    world.settle()

    assert world.ops(3) == list(range(150))


def test_what_lies_far_ahead_of_what_was_asked_for_is_not_taken_in() -> None:
    """A slot number can be any number, and the ledger has a page for whatever lies below."""
    world = LogWorld()
    told = Tell((Entry(2**40, Ballot(1, 1), NOOP),), 2**40)

    world.step(2, Received(told, 1, "n1.0.1"))

    assert world.nodes[2].replica.log.top == 0


def test_a_restarted_replica_executes_again_what_it_knew() -> None:
    world = led_by(1)
    for number in range(3):
        world.submit(1, number)
        world.settle()

    world.crash(1)
    world.restart(1)

    known = world.ops(1)
    assert known == [0, 1, 2][: len(known)]
    assert len(known) >= 2, "what was learned before the last vote was written with it"


def test_the_whole_cluster_restarts_and_nothing_is_lost() -> None:
    world = led_by(1)
    for number in range(3):
        world.submit(1, number)
        world.settle()
    for member in world.members:
        world.crash(member)
    for member in world.members:
        world.restart(member)

    world.elect(3)

    assert [world.ops(member) for member in world.members] == [[0, 1, 2]] * 3


# Promises have bounds.


def test_who_knows_much_more_than_a_candidate_tells_it_instead_of_promising() -> None:
    world = led_by(1)
    for number in range(LAG_MAX + 1):
        world.submit(1, number)
        world.settle(without=(3,))
    world.fire(1, "election")
    world.drop(*world.flights)
    prepare = Prepare(Ballot(9, 3), 1)

    world.step(2, Received(prepare, 3, "n3.0.1"))

    assert not world.sent(Promise)
    [flight] = world.sent(Tell)
    assert len(flight.message.entries) == LAG_MAX + 1


def test_nobody_votes_far_above_what_it_knows() -> None:
    world = LogWorld()
    for slot in (VOTES_AHEAD_MAX, VOTES_AHEAD_MAX + 1):
        world.step(2, Received(Propose(Ballot(1, 1), slot, NOOP), 1, "n1.0.1"))

    assert [flight.message.slot for flight in world.sent(Accepted)] == [VOTES_AHEAD_MAX]


# Elections.


def test_nobody_is_disturbed_as_long_as_a_quorum_hears_the_leader() -> None:
    world = led_by(1)
    world.fire(3, "election")

    world.settle()

    assert world.leaders == [1]
    assert world.nodes[3].replica.promised == Ballot(1, 1)


def test_a_leader_that_nobody_answers_gives_up() -> None:
    world = led_by(1)
    world.fire(1, "election")
    for _ in range(2):
        world.fire(1, "heartbeat")
        world.drop(*world.flights)
        world.fire(1, "election")
        world.drop(*world.flights)

    assert world.leaders == []


def test_a_leader_that_a_quorum_answers_goes_on() -> None:
    world = led_by(1)
    for _ in range(3):
        world.fire(1, "heartbeat")
        world.settle(without=(3,))
        world.fire(1, "election")

    assert world.leaders == [1]


def test_only_who_can_reach_a_quorum_starts_a_ballot() -> None:
    world = LogWorld()
    world.fire(1, "election")

    assert len(world.sent(PreVote)) == 2
    world.drop(*world.flights)
    world.fire(1, "election")

    assert not world.sent(Prepare)


def test_who_is_asked_for_support_gives_way_to_each_candidate_once() -> None:
    """Or else those who reach nobody else could keep it from standing for ever."""
    world = LogWorld((1, 2, 3))
    world.fire(3, "election")
    world.nodes[1].timers.clear()
    for _ in range(2):
        world.step(1, Received(PreVote(1), 2, "n2.0.1"))

    assert world.nodes[1].timers == {"election": None}
    world.nodes[1].timers.clear()
    world.step(1, Received(PreVote(2), 2, "n2.0.2"))
    assert world.nodes[1].timers == {}
    world.step(1, Received(PreVote(1), 3, "n3.0.1"))
    assert world.nodes[1].timers == {"election": None}


def test_each_attempt_to_be_elected_is_given_longer_until_there_is_a_leader() -> None:
    """Or else nobody would ever be elected where a ballot takes longer than the first attempt is given."""
    replica = LogWorld((1, 2, 3)).nodes[1].replica
    given = []
    for _ in range(3):
        replica, effects = replica.step(TimerFired("election"))
        given += [effect for effect in effects if isinstance(effect, SetTimer)]
    assert given == [SetTimer("election", soon=True, attempt=attempt) for attempt in (1, 2, 3)]

    replica, _ = replica.step(Received(Heartbeat(Ballot(1, 2), 0), 2, "n2.0.1"))
    replica, effects = replica.step(TimerFired("election"))
    assert SetTimer("election", soon=True, attempt=1) in effects


def test_the_wait_of_candidates_doubles_up_to_a_limit() -> None:
    timing = ReplicaTiming(soon_s=0.05, soon_max_s=1.0)
    waits = [timing.delay_s(SetTimer("election", True, attempt), Random(1)) for attempt in (1, 2, 3, 9, 999)]

    factor = Random(1).uniform(1.0, 2.0)
    assert [wait / factor for wait in waits] == pytest.approx([0.05, 0.1, 0.2, 1.0, 1.0])


def test_a_response_to_an_earlier_pre_vote_does_not_count() -> None:
    world = LogWorld()
    world.fire(1, "election")
    for request in world.sent(PreVote):
        world.deliver(request)
    late = world.sent(PreVoteResponse)
    world.fire(1, "election")

    for response in late:
        world.deliver(response)

    assert not world.sent(Prepare)


def test_a_refusal_tells_how_high_to_go() -> None:
    world = led_by(1)
    world.elect(2)
    assert world.nodes[2].replica.own_ballot == Ballot(2, 2)

    world.step(2, Received(Prepare(Ballot(1, 3), 1), 3, "n3.0.1"))

    [flight] = world.sent(Nack)
    assert flight.message == Nack(Ballot(1, 3), Ballot(2, 2))


# Reading.


def test_a_read_waits_until_a_quorum_has_answered_a_heartbeat_sent_after_it() -> None:
    world = led_by(1)
    world.submit(1, "a")
    world.settle()
    world.answers.clear()

    request = world.read(1)

    assert world.answers == []
    world.settle()
    assert world.answers == [Query(request, ["get", "x"], 1)]


def test_a_leader_that_was_deposed_unawares_answers_no_read() -> None:
    world = led_by(1)
    for member in (2, 3):
        world.fire(member, "election")
    world.settle(without=(1,))
    assert [leader for leader in world.leaders if leader != 1]

    world.read(1)
    world.settle()

    assert not [answer for answer in world.answers if isinstance(answer, Query)]


def test_a_new_leader_answers_no_read_before_it_knows_what_its_promises_told() -> None:
    world = led_by(1)
    submit_only_to(world, 1, (2,), "a")
    world.crash(1)
    world.fire(3, "election")
    world.drop(*world.flights)
    world.fire(2, "election")
    while 2 not in world.leaders:
        world.deliver(next(flight for flight in world.flights if not isinstance(flight.message, Propose)))
    world.fire(2, "heartbeat")
    request = world.read(2)
    for flight in list(world.flights):
        if not isinstance(flight.message, Propose) and flight in world.flights:
            world.deliver(flight)
    assert not [answer for answer in world.answers if isinstance(answer, Query)]

    world.settle()
    world.fire(2, "heartbeat")
    world.settle()

    assert Query(request, ["get", "x"], 1) in world.answers


def test_reads_that_come_together_share_a_heartbeat() -> None:
    world = led_by(1)

    requests = [world.read(1) for _ in range(5)]
    beats = [flight for flight in world.sent(Heartbeat) if flight.message.number]
    world.settle()

    assert len(beats) == 2, "one for each other replica"
    assert [answer.request for answer in world.answers if isinstance(answer, Query)] == requests


def test_one_replica_alone_is_a_cluster() -> None:
    world = led_by(7, (7,))

    world.submit(7, "a")
    world.settle()
    request = world.read(7)

    assert world.ops(7) == ["a"]
    assert Query(request, ["get", "x"], 1) in world.answers


# The ledger.


@pytest.mark.parametrize("slots", [[1], [63, 64, 65], [200, 3, 129]])
def test_a_ledger_is_a_value(slots: list[int]) -> None:
    before = Log()
    after = before
    for slot in slots:
        after = after.put(slot, Cell(Entry(slot, Ballot(1, 1), NOOP).vote))

    assert list(before.votes_from(1)) == []
    assert [slot for slot, _ in after.votes_from(1)] == sorted(slots)
    assert after.top == max(slots)


def test_a_removed_member_is_not_heard() -> None:
    left = Configuration(1, (Member(1), Member(2)), next_id=4)
    replica = Replica.recover(1, left)

    after, effects = replica.step(Received(Prepare(Ballot(9, 3), 1), 3, "n3.0.1"))

    assert (after, effects) == (replica, [])
