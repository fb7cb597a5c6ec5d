"""Small worlds: the correct core breaks nothing, and each seeded bug is shown by a shortest schedule."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ostrakon.harness.model import Size
from ostrakon.harness.plan import BadPlan, decode_plan, encode_plan
from ostrakon.harness.trial import run
from ostrakon.paxos_impl.core import RULES, Ballot, Prepare
from ostrakon.workloads.bugs import DECREE_BUGS
from ostrakon.workloads.decree import explore
from ostrakon.workloads.small_world.enactment import decode_schedule, enact, encode_schedule
from ostrakon.workloads.small_world.exploration import explore_world
from ostrakon.workloads.small_world.step import Ask, Deliver

ONE_PROPOSER = Size(proposers=1)
DUEL = Size()
CRASH = Size(crashes=1)

SMALLEST: dict[str, tuple[Size, str, int]] = {
    "promise-not-persisted": (Size(proposers=1, crashes=1), "P10", 3),
    "reply-before-fsync": (Size(proposers=1, crashes=1), "P10", 3),
    "ignore-reported-value": (DUEL, "P9", 7),
    "adopt-last-reported": (CRASH, "P9", 12),
    "quorum-half": (ONE_PROPOSER, "P9", 1),
    "accept-ignores-promise": (DUEL, "P7", 5),
    "ballot-without-node-id": (DUEL, "P6", 2),
    "count-replies": (Size(proposers=1, duplicates=True), "P4", 5),
    "stale-promises-counted": (Size(proposers=1, crashes=1), "P9", 5),
    "ballot-reuse-after-restart": (Size(proposers=1, crashes=1), "P10", 3),
    "accepted-not-persisted": (Size(proposers=1, crashes=1), "P8", 6),
    "promise-omits-accepted": (DUEL, "P8", 5),
    "adopt-lowest-ballot": (CRASH, "P9", 12),
    "prepare-ignores-promise": (DUEL, "P7", 3),
    "accept-does-not-raise-promise": (DUEL, "P7", 5),
    "learning-lowers-promise": (DUEL, "P7", 8),
    "same-ballot-new-value": (Size(proposers=1, timeouts=1, requests=2), "P6", 5),
    "nack-counts-as-ack": (DUEL, "P9", 4),
    "learn-on-first-accepted": (ONE_PROPOSER, "P4", 5),
}
"""For each bug a smallest world that shows it, what it breaks there first, and in how many steps."""


def test_every_seeded_bug_has_its_smallest_world() -> None:
    assert set(SMALLEST) == set(DECREE_BUGS)


@pytest.mark.parametrize("bug", SMALLEST)
def test_a_seeded_bug_is_caught_in_its_smallest_world_by_a_shortest_schedule(bug: str) -> None:
    size, property, steps = SMALLEST[bug]

    found = explore_world(size, DECREE_BUGS[bug].breakage)

    assert (found.valid, found.broken, len(found.schedule)) == ("invalid", property, steps)


@pytest.mark.parametrize("bug", SMALLEST)
def test_the_checkers_convict_the_same_property_from_the_trace_of_the_schedule(bug: str) -> None:
    size, property, _ = SMALLEST[bug]

    found = explore(size, bug=bug, only=(), states_max=100_000, note=None)

    assert found.plan is not None
    trial = run(decode_plan(encode_plan(found.plan)))
    assert trial.valid == "invalid"
    assert property in {anomaly.get("property") for anomaly in trial.anomalies}
    assert len(found.story) == len(found.plan.options["schedule"])


def test_who_counts_replies_proposes_without_a_quorum_of_four_but_never_of_three() -> None:
    """A proposer's own promise comes first, and of three nodes any other then makes a quorum."""
    worlds = [Size(duplicates=True), Size(timeouts=1), Size(proposers=1, crashes=1, timeouts=2)]

    def found(size: Size) -> str:
        return explore_world(size, DECREE_BUGS["count-replies"].breakage, properties=["P9"]).valid

    assert [found(size) for size in worlds] == ["valid"] * 3
    assert [found(replace(size, proposers=1, acceptors=4)) for size in worlds] == ["invalid"] * 3


@pytest.mark.parametrize("bug", ["accept-ignores-promise", "ignore-reported-value"])
def test_two_values_get_chosen_if_one_looks_beyond_latent_violations(bug: str) -> None:
    found = explore(DUEL, bug=bug, only=("P2",), states_max=100_000, note=None)

    assert found.property == "P2"
    assert found.plan is not None
    for plan in filter(None, (found.plan, found.simulation)):
        assert "P2" in {anomaly.get("property") for anomaly in run(plan).anomalies}


DISAGREEMENT = {
    "promise-not-persisted": (CRASH, 11),
    "ballot-reuse-after-restart": (CRASH, 11),
    "accepted-not-persisted": (CRASH, 11),
    "adopt-lowest-ballot": (CRASH, 15),
    "accept-does-not-raise-promise": (CRASH, 15),
}
"""How many steps it takes until two values are chosen, for bugs with which chance seldom gets there."""


@pytest.mark.parametrize("bug", DISAGREEMENT)
def test_disagreement_is_found_where_chance_seldom_gets(bug: str) -> None:
    size, steps = DISAGREEMENT[bug]

    found = explore_world(size, DECREE_BUGS[bug].breakage, properties=("P2",))

    assert (found.broken, len(found.schedule)) == ("P2", steps)


def test_a_schedule_that_no_connection_could_carry_is_sought_anew_for_the_simulator() -> None:
    found = explore(CRASH, bug="promise-not-persisted", only=("P2",), states_max=100_000, note=None)

    assert found.simulation is not None
    assert "P2" in {anomaly.get("property") for anomaly in run(found.simulation).anomalies}


def test_what_connections_of_the_dead_cannot_show_the_simulator_shows_by_a_timer() -> None:
    size, property, _ = SMALLEST["stale-promises-counted"]
    found = explore(size, bug="stale-promises-counted", only=(), states_max=100_000, note=None)

    assert found.simulation is not None
    assert property in {anomaly.get("property") for anomaly in run(found.simulation).anomalies}


@pytest.mark.parametrize(
    "size",
    [
        ONE_PROPOSER,
        DUEL,
        Size(crashes=1),
        Size(duplicates=True),
        Size(timeouts=1),
        Size(proposers=1, acceptors=4, crashes=1),
        Size(proposers=1, timeouts=2, requests=2),
    ],
    ids=str,
)
def test_the_correct_core_breaks_nothing_in_a_small_world(size: Size) -> None:
    found = explore_world(size)

    assert found.valid == "valid", found.why
    assert found.rounds == 1
    assert found.has_chosen


def test_where_nothing_can_be_chosen_nothing_is_known() -> None:
    found = explore_world(Size(proposers=2, acceptors=3), states_max=5)

    assert found.valid == "unknown"
    assert "there are more" in found.why


def test_a_schedule_survives_being_written_down() -> None:
    schedule = explore_world(CRASH, DECREE_BUGS["adopt-last-reported"].breakage).schedule

    assert decode_schedule(encode_schedule(schedule)) == schedule


def test_a_step_that_is_not_possible_is_named() -> None:
    out_of_thin_air: list[Ask | Deliver] = [Ask(1, "x"), Deliver(2, 1, Prepare(Ballot(9, 2)))]

    with pytest.raises(BadPlan, match=r"step 2 of the schedule is impossible: n2 has not sent"):
        enact(out_of_thin_air, 3, RULES)
