"""Each seeded bug of leases is found by schedules at random; others have schedules of their own."""

from __future__ import annotations

import random

import pytest

from ostrakon.paxos_impl.core.multi import LOG_RULES, LogRules, Query
from ostrakon.paxos_impl.core.multi.message import Propose
from ostrakon.workloads.lease_bugs import LEASE_BUGS
from tests.paxos_impl.core.multi.log_world import LogWorld
from tests.paxos_impl.core.multi.timed_world import TimedWorld, pass_time

SCHEDULES_MAX = 600
RARE = "reads-before-it-knows"
STUCK = "leads-unanswered"
"""Does no harm but that nobody is served; a scenario shows it."""
AT_RANDOM = [name for name in LEASE_BUGS if name not in (RARE, STUCK)]


def is_convicted(rules: LogRules, seed: int) -> bool:
    world = TimedWorld((1, 2, 3) if seed % 3 else (1, 2, 3, 4, 5), rules)
    try:
        pass_time(world, random.Random(seed), 20)
        world.require_agreement()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", AT_RANDOM)
def test_a_seeded_bug_is_found(name: str) -> None:
    rules = LEASE_BUGS[name].breakage.rules

    assert any(is_convicted(rules, seed) for seed in range(SCHEDULES_MAX))


@pytest.mark.parametrize(("rules", "is_stale"), [(LOG_RULES, False), (LEASE_BUGS[RARE].breakage.rules, True)])
def test_a_new_leader_shows_what_is_old_unless_it_waits(rules: LogRules, is_stale: bool) -> None:
    """The old leader has answered that "new" is done; the new one has not heard yet that it was chosen."""
    world = LogWorld((1, 2, 3), rules)
    world.elect(1)
    world.submit(1, "new")
    world.settle(without=(3,))
    world.crash(1)
    world.fire(3, "election")
    world.fire(2, "election")
    while 3 not in world.leaders:
        world.deliver(next(flight for flight in world.flights if flight.to != 1))
    world.read(3)
    while flights := [flight for flight in world.flights if not isinstance(flight.message, Propose)]:
        world.deliver(flights[0])

    answered = [answer for answer in world.answers if isinstance(answer, Query)]
    assert [answer.slot for answer in answered] == ([0] if is_stale else [])
