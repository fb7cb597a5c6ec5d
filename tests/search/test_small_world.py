"""What cannot be made smaller by leaving out is sought among few nodes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.model import Size
from ostrakon.harness.search import failure
from ostrakon.harness.search.failure import broken_properties, small_world_plans
from ostrakon.harness.trial import run
from ostrakon.workloads.decree import DECREE
from ostrakon.workloads.scenarios import SCENARIOS

FIVE_NODES = replace(SCENARIOS["D3-two-minorities"].plan, bug="adopt-last-reported", substrate="model")


@pytest.fixture(autouse=True)
def one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """The world that shows it, so that the others need not be gone through."""
    monkeypatch.setattr(failure, "WORLDS", (Size(crashes=1),))


def test_five_nodes_that_no_three_of_do_without_become_three() -> None:
    failing = run(FIVE_NODES)

    (smaller,) = small_world_plans(FIVE_NODES, DECREE, broken_properties(failing.anomalies, failing.reason))

    assert smaller.nodes == 3
    assert run(smaller).reason == failing.reason


def test_it_is_looked_for_only_where_there_are_more_nodes() -> None:
    quarrel = replace(FIVE_NODES, bug="ballot-without-node-id")

    assert [plan.nodes for plan in small_world_plans(quarrel, DECREE, ("P6",))] == [3]
    assert list(small_world_plans(replace(quarrel, nodes=3), DECREE, ("P6",))) == []


def test_where_no_property_is_named_nothing_is_sought() -> None:
    assert list(small_world_plans(FIVE_NODES, DECREE, ())) == []


def test_a_property_that_small_worlds_do_not_know_is_not_sought() -> None:
    assert list(small_world_plans(FIVE_NODES, DECREE, ("M4",))) == []


def test_only_what_gave_the_failure_its_name_is_sought() -> None:
    anomalies: list[dict[str, Any]] = [
        {"property": "P9"},
        {"property": "P2"},
        {"property": None},
        {"property": "P9"},
    ]

    assert broken_properties(anomalies, "P9 unsafe proposal") == ("P9",)
