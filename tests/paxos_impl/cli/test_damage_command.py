"""A replica that has lost what it promised, or may have: real processes, real files, `paxos kv`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paxos_impl.town import GrowingTown, living


@pytest.fixture
def town(tmp_path: Path) -> Iterator[GrowingTown]:
    with living(GrowingTown(tmp_path)) as made:
        yield made


def id_of(town: GrowingTown, name: str) -> str:
    """The id of a founder."""
    [line] = [line for line in town.kv("status")[1].splitlines() if line.startswith(town.addresses[name])]
    return line.split("server ")[1].split()[0]


def change(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def come_back(town: GrowingTown, lost: str, name: str) -> None:
    """Have a founder that has lost its data join anew under another name, and be given a vote."""
    assert town.at("2", "remove", lost) == (0, "")
    town.join(name)
    town.wait(name, "serving as server 3")
    assert town.at("2", "promote", "3") == (0, "")


def test_a_damaged_acceptor_does_not_vote_until_it_has_caught_up_as_somebody_else(town: GrowingTown) -> None:
    for number in range(5):
        assert town.kv("append", "log", str(number))[0] == 0
    lost = id_of(town, "1")
    town.kill("1")
    segment = town.root / "1" / "replica.00000001"
    change(segment, 60)

    town.start("1")
    assert town.wait_ended("1") == 255
    assert "replica.00000001, at byte" in town.said("1")
    assert "Traceback" not in town.said("1")
    assert town.kv("append", "log", "5") == (0, "6"), "two of three are a quorum"

    shutil.move(town.root / "1", town.root / "damaged")
    come_back(town, lost, "4")
    assert town.roles() == [f"{id} voter" for id in (0, 1, 2, 3) if str(id) != lost]
    town.kill("3")
    assert town.at("4", "append", "log", "6") == (0, "7"), "its vote counts now"
    assert town.at("4", "get", "log") == (0, '["0","1","2","3","4","5","6"]')


def test_a_founder_whose_data_are_gone_is_not_taken_for_who_it_was(town: GrowingTown) -> None:
    assert town.kv("put", "colour", "blue") == (0, "")
    lost = id_of(town, "1")
    town.kill("1")
    shutil.rmtree(town.root / "1")

    town.start("1")
    assert town.wait_ended("1") == 255
    assert "Traceback" not in town.said("1")

    come_back(town, lost, "4")
    town.kill("3")
    assert town.at("4", "put", "colour", "green") == (0, "")


def test_a_founder_whose_log_is_gone_does_not_serve(town: GrowingTown) -> None:
    assert town.kv("put", "colour", "blue") == (0, "")
    town.kill("1")
    (town.root / "1" / "replica.00000001").unlink()

    town.start("1")

    assert town.wait_ended("1") == 255
    assert "the log is missing, and with it the promises of this replica" in town.said("1")


def test_a_write_that_was_cut_short_is_no_damage(town: GrowingTown) -> None:
    assert town.kv("put", "colour", "blue") == (0, "")
    town.kill("1")
    with (town.root / "1" / "replica.00000001").open("ab") as segment:
        segment.write(b"\x00\x00\x01")

    town.start("1")

    town.wait("1", "serving as server", times=2)
    assert town.at("1", "get", "colour") == (0, "blue")
