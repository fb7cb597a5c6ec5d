"""Each seeded bug of the log is found by schedules at random: these tests could fail."""

from __future__ import annotations

import random

import pytest

from ostrakon.paxos_impl.core.multi import LOG_RULES, LogRules, Query
from ostrakon.workloads.log_bugs import LOG_BUGS
from ostrakon.workloads.membership import MEMBERSHIP_BUGS
from tests.paxos_impl.core.multi.log_world import NEVER, OFTEN, LogWorld, disturb, heal

SCHEDULES_MAX = 1500
CHANGES_MAX = 200
BEGIN = {"change-in-force-at-once": 20, "old-quorum": 50, "counts-everyone": 0}
"""Where to begin, so that the hunt is short; a change of schedules may move it."""
RARE = "reads-without-quorum"
"""Needs a leader that is cut off just long enough; there is a schedule made for it."""
STAGED = "stale-votes-counted"
"""Needs votes that arrive after another election; faults that wait for events bring that about."""
UNSPLIT = ("prepare-ignores-promise", "accept-does-not-raise-promise", "learning-lowers-promise")
"""Seldom make replicas disagree in such schedules; a trace shows which promise they break."""
AT_RANDOM = [
    name
    for name, bug in LOG_BUGS.items()
    if bug.breakage.rules is not LOG_RULES
    and name not in (RARE, STAGED, *UNSPLIT)
    and not bug.plan  # Nobody stays away for good.
]


def is_convicted(rules: LogRules, seed: int) -> bool:
    """Whether this schedule shows that something is wrong."""
    rng = random.Random(seed)
    world = LogWorld((1, 2, 3) if seed % 3 else (1, 2, 3, 4, 5), rules)
    try:
        disturb(world, rng, 300)
        world.require_agreement()
        heal(world, rng)
        world.require_agreement()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", AT_RANDOM)
def test_a_seeded_bug_is_found(name: str) -> None:
    rules = LOG_BUGS[name].breakage.rules

    assert any(is_convicted(rules, seed) for seed in range(SCHEDULES_MAX))


@pytest.mark.parametrize("name", BEGIN)
def test_a_seeded_bug_of_membership_is_found(name: str) -> None:
    rules = MEMBERSHIP_BUGS[name].breakage.rules

    assert any(is_convicted_of_changes(rules, seed) for seed in range(BEGIN[name], BEGIN[name] + CHANGES_MAX))


def test_correct_changes_are_not_convicted() -> None:
    assert not any(is_convicted_of_changes(LOG_RULES, seed) for seed in BEGIN.values())


def is_convicted_of_changes(rules: LogRules, seed: int) -> bool:
    """Whether a schedule in which members come and go shows that something is wrong."""
    rng = random.Random(seed)
    world = LogWorld((1, 2, 3), rules, OFTEN if seed % 2 else NEVER)
    try:
        disturb(world, rng, 5000, changes=True)
        world.require_agreement()
        heal(world, rng)
        world.require_agreement()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(("rules", "is_stale"), [(LOG_RULES, False), (LOG_BUGS[RARE].breakage.rules, True)])
def test_a_deposed_leader_reads_what_is_old_if_it_asks_nobody(rules: LogRules, is_stale: bool) -> None:
    world = LogWorld((1, 2, 3), rules)
    world.elect(1)
    for member in (2, 3):
        world.fire(member, "election")
    world.settle(without=(1,))
    [leader] = [member for member in world.leaders if member != 1]
    world.submit(leader, "new")
    world.settle(without=(1,))
    world.read(1)
    world.settle()

    answers = [answer for answer in world.answers if isinstance(answer, Query)]

    assert [answer.slot for answer in answers] == ([0] if is_stale else [])
    if is_stale:
        with pytest.raises(AssertionError, match="stale"):
            world.require_agreement()
