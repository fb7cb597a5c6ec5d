"""Reads that come together are answered together, each as it would be by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.multi import Decline, Overloaded, Query, ReadHow, ReadRequested, ReadsRequested
from ostrakon.paxos_impl.core.multi.message import Heartbeat
from ostrakon.paxos_impl.core.multi.reading import WAITING_MAX
from tests.paxos_impl.core.multi.log_world import LogWorld
from tests.paxos_impl.core.multi.timed_world import TERMS, TimedWorld

hows = st.sampled_from(("lease", "index", "stale"))


def led_by(node: int) -> TimedWorld:
    world = TimedWorld()
    world.elect(node)
    return world


def ask(world: LogWorld, node: int, *wanted: ReadHow) -> dict[int, object]:
    """Have a replica asked for all of these at once; returns what it answers at once, by request."""
    before = len(world.answers)
    reads = tuple(ReadRequested(1000 + at, ["get", "x"], how) for at, how in enumerate(wanted))
    world.step(node, ReadsRequested(reads))
    return {answer.request: answer for answer in world.answers[before:]}


@given(st.lists(hows, min_size=1, max_size=9))
def test_every_read_is_answered_once_and_as_it_wants_to_be(wanted: list[ReadHow]) -> None:
    world = led_by(1)

    at_once = ask(world, 1, *wanted)
    world.settle()

    assert [at_once.get(1000 + at) is not None for at in range(len(wanted))] == [
        how != "index" for how in wanted
    ]
    answered = {answer.request: answer.how for answer in world.answers if isinstance(answer, Query)}
    assert len(world.answers) == len(wanted)
    assert [answered[1000 + at] for at in range(len(wanted))] == wanted


@given(st.lists(hows, min_size=1, max_size=9))
def test_one_answered_heartbeat_is_enough_for_all_that_came_together(wanted: list[ReadHow]) -> None:
    world = led_by(1)
    world.wait(TERMS.length_s * 2)  # No lease is held any more.
    world.flights.clear()

    ask(world, 1, *wanted)
    asked = len(world.sent(Heartbeat))
    world.settle()

    assert asked == (2 if any(how != "stale" for how in wanted) else 0), (
        "one heartbeat, to each of the others"
    )
    assert len(world.answers) == len(wanted)


@given(st.lists(hows, min_size=1, max_size=9))
def test_who_does_not_lead_says_so_to_each_but_those_who_take_what_it_knows(wanted: list[ReadHow]) -> None:
    world = led_by(1)

    answers = ask(world, 2, *wanted)

    declined = [isinstance(answers[1000 + at], Decline) for at in range(len(wanted))]
    assert declined == [how != "stale" for how in wanted]


@pytest.mark.parametrize(("how", "refused"), [("index", 3), ("lease", 3), ("stale", 0)])
def test_more_reads_than_may_wait_are_refused(how: ReadHow, refused: int) -> None:
    world = led_by(1)
    world.wait(TERMS.length_s * 2)

    answers = ask(world, 1, *[how] * (WAITING_MAX + 3))

    assert sum(isinstance(answer, Overloaded) for answer in answers.values()) == refused
