"""`paxos kv serve --groups` as people run it: real processes, kill -9, members that come and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ostrakon.paxos_impl.kv.placement import group_of_key
from tests.paxos_impl.town import GrowingTown, living, paxos
from tests.ports import LONG_S

GROUPS = 3
KEYS = [f"k{n}" for n in range(8)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrowingTown]:
    made = GrowingTown(tmp_path_factory.mktemp("town"))
    made.options = ("--groups", str(GROUPS))
    with living(made):
        yield made


def test_keys_of_all_groups_outlive_kill_9_of_everybody(town: GrowingTown) -> None:
    assert {group_of_key(key, GROUPS) for key in KEYS} == {0, 1, 2}
    for key in KEYS:
        assert town.kv("put", key, f"{key}!") == (0, "")

    for name in ("1", "2", "3"):
        town.kill(name)
    for name in ("1", "2", "3"):
        town.start(name)
        town.wait(name, "serving as server", times=2)

    for key in KEYS:
        assert town.kv("get", key) == (0, f"{key}!")


def test_status_has_a_line_for_each_group_of_each_replica(town: GrowingTown) -> None:
    town.kv("put", "k0", "1")
    status, lines = town.kv("status")

    assert status == 0
    told = [line.split("  ")[:3] for line in lines.splitlines()]
    assert len(told) == 9
    assert [group for _, group, _ in told] == 3 * [f"group {n}" for n in range(GROUPS)]


def test_what_is_about_keys_of_several_groups_is_not_done_and_it_is_said_why(town: GrowingTown) -> None:
    a, b = (next(key for key in KEYS if group_of_key(key, GROUPS) == group) for group in (0, 1))
    apart = f'["txn", [], [["put", "{a}", 1], ["put", "{b}", 1]]]'
    ended = paxos("kv", "do", apart, "--registry", town.registry, "--timeout", f"{LONG_S}")

    assert ended.status == 1
    assert "not all in one group" in ended.said
    assert town.kv("do", '["txn", [], [["put", "{k}1", 1], ["get", "{k}1"]]]') == (0, "[null,1]")


def test_another_number_of_groups_is_refused(town: GrowingTown) -> None:
    town.kill("3")
    town.options = ("--groups", "5")
    try:
        town.start("3")
        assert town.wait_ended("3") == 255
        assert "is of a replica with 3 groups, not 5 groups" in town.said("3")
        town.join("5")
        assert town.wait_ended("5") == 255
        assert "is 3, not 5" in town.said("5")
        town.options = ()
        town.start("3")
        assert town.wait_ended("3") == 255
        assert "is of a replica with several groups" in town.said("3")
    finally:
        town.options = ("--groups", str(GROUPS))
        town.start("3")
        town.wait("3", "serving as server", times=3)


def test_a_replica_joins_all_groups_gets_its_votes_and_is_removed_from_all(town: GrowingTown) -> None:
    for key in KEYS:
        assert town.kv("put", key, "before") == (0, "")
    town.join("4")
    town.wait("4", "serving as server 3")
    assert town.at("2", "promote", "3") == (0, "")
    assert town.at("2", "remove", "0") == (0, "")

    status, lines = town.at("4", "status")
    assert status == 0
    assert lines.count("members 1,2,3") == GROUPS
    for key in KEYS:
        assert town.at("4", "get", key) == (0, "before")
