"""What cannot be made smaller by leaving out is sought among few nodes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.model import Size
from harness.plan import Plan
from harness.search import small_world
from harness.search.shrink import runnable, shrink
from harness.search.small_world import SmallWorld, broken_properties
from harness.trial import run
from workloads.scenarios import SCENARIOS

FIVE_NODES = replace(SCENARIOS["D3-two-minorities"].plan, bug="adopt-last-reported", substrate="model")


@pytest.fixture(autouse=True)
def one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """The world that shows it, so that the others need not be gone through."""
    monkeypatch.setattr(small_world, "WORLDS", (Size(crashes=1),))


def test_five_nodes_that_no_three_of_do_without_become_three() -> None:
    failing = run(FIVE_NODES)
    asked = []

    def fails(plan: Plan) -> bool:
        asked.append(plan)
        trial = run(plan)
        return trial.valid == "invalid" and trial.reason == failing.reason

    elsewhere = SmallWorld(broken_properties(failing.anomalies, failing.reason))
    found = shrink(FIVE_NODES, runnable(fails), enough=lambda: len(asked) > 40, elsewhere=elsewhere)

    assert found.nodes == 3
    assert run(found).reason == failing.reason


def test_it_is_looked_for_once_and_only_where_there_are_more_nodes() -> None:
    quarrel = replace(FIVE_NODES, bug="ballot-without-node-id")
    elsewhere = SmallWorld(("P6",))

    assert list(elsewhere(replace(quarrel, nodes=3))) == []
    assert [plan.nodes for plan in elsewhere(quarrel)] == [3]
    assert list(elsewhere(quarrel)) == []


def test_where_no_property_is_named_nothing_is_sought() -> None:
    assert list(SmallWorld(())(FIVE_NODES)) == []


def test_a_property_that_small_worlds_do_not_know_is_not_sought() -> None:
    assert list(SmallWorld(("M4",))(FIVE_NODES)) == []


def test_only_what_gave_the_failure_its_name_is_sought() -> None:
    anomalies = [{"property": "P9"}, {"property": "P2"}, {"property": None}, {"property": "P9"}]

    assert broken_properties(anomalies, "P9 unsafe proposal") == ("P9",)
