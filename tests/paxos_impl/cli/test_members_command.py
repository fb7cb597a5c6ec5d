"""`paxos kv join`, `members`, `promote` and `remove` as people run them: real processes, real sockets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.paxos_impl.town import GrowingTown, living, paxos


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrowingTown]:
    with living(GrowingTown(tmp_path_factory.mktemp("town"))) as made:
        yield made


def test_a_replica_joins_gets_a_vote_and_takes_the_place_of_another(town: GrowingTown) -> None:
    assert town.kv("put", "colour", "blue") == (0, "")
    [first] = [line.split()[2] for line in town.kv("status")[1].splitlines() if town.addresses["1"] in line]

    town.join("4")
    town.wait("4", "serving as server 3")
    assert town.roles()[-1] == "3 learner"
    assert town.at("2", "promote", "3") == (0, "")
    assert town.at("2", "remove", first) == (0, "")
    town.kill("1")

    assert town.roles() == [f"{id} voter" for id in (0, 1, 2, 3) if id != int(first)]
    assert town.at("4", "get", "colour") == (0, "blue")
    assert town.at("4", "put", "colour", "green") == (0, "")
    town.kill("4")
    town.join("4")
    town.wait("4", "serving as server 3", times=2)
    assert town.at("4", "get", "colour") == (0, "green")


def test_who_has_lost_its_data_is_not_taken_for_who_it_was(town: GrowingTown) -> None:
    town.join("4")
    town.wait("4", "serving as server 3")
    town.kill("4")
    shutil.rmtree(town.root / "4")

    town.join("4")

    assert town.wait_ended("4") == 255
    assert f"{town.addresses['4']} is the address of server 3 of that cluster" in town.said("4")
    assert town.at("2", "remove", "3") == (0, "")
    town.join("4")
    town.wait("4", "serving as server 4")


def test_who_is_no_member_can_neither_be_promoted_nor_removed(town: GrowingTown) -> None:
    for command in ("promote", "remove"):
        ended = paxos("kv", command, "9", "--node", town.addresses["1"])

        assert ended.status == 1
        assert "server 9 is no member" in ended.said


def test_where_no_member_answers_nobody_can_join(town: GrowingTown) -> None:
    town.addresses["2"] = "127.0.0.1:1"

    town.join("4")

    assert town.wait_ended("4") == 255
    assert "no member of a cluster answers at 127.0.0.1:1" in town.said("4")
