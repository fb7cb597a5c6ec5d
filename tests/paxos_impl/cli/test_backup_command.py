"""`paxos kv backup` and `restore`: a running cluster, its backup, and a new cluster that goes on from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paxos_impl.town import GrowingTown, KvTown, living, paxos
from tests.ports import LONG_S


@pytest.fixture(params=["1", "3"])
def groups(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(tmp_path: Path, groups: str) -> Iterator[KvTown]:
    town = KvTown(tmp_path / "old")
    town.root.mkdir()
    town.options = ("--groups", groups)
    with living(town) as living_town:
        yield living_town


def test_a_new_cluster_goes_on_from_a_backup_and_old_members_have_no_part_in_it(
    old: KvTown, tmp_path: Path, groups: str
) -> None:
    file = tmp_path / "saved"
    for number in range(20):
        assert old.kv("put", f"k{number}", f"{number}")[0] == 0
    assert old.kv("lock", "l", "me", "--for", "600") == (0, "1")
    taken = old.kv("backup", str(file))
    assert taken[0] == 0
    old.kv("put", "k0", "later")
    for name in ("1", "2", "3"):
        old.kill(name)

    new = GrowingTown(tmp_path / "new")
    new.root.mkdir()
    new.options = old.options
    restored = paxos("kv", "restore", str(file), *(x for n in "123" for x in ("--to", str(new.root / n))))
    assert (restored.status, restored.out.strip()) == taken
    again = paxos("kv", "restore", str(file), "--to", str(new.root / "1"))
    assert (again.status, again.out) == (1, "")
    assert "not empty" in again.said

    with living(new):
        assert new.kv("get", "k0") == (0, "0")
        assert new.kv("get", "k19") == (0, "19")
        assert new.kv("lock", "l", "you") == (1, ""), "the lock is held"
        assert new.kv("add", "sum", "1") == (0, "1")
        second = tmp_path / "second"
        assert new.kv("backup", str(second))[0] == 0
        assert int(second.stat().st_size) > 0
        new.join("4")
        new.wait("4", "serving as server 3")
        deadline = time.monotonic() + LONG_S
        while new.at("4", "get", "sum", "--read", "stale") != (0, "1"):
            assert time.monotonic() < deadline, "a replica that joins never got the restored state"
            time.sleep(0.05)
        assert new.at("4", "get", "k19", "--read", "stale") == (0, "19")
        for name in ("1", "2", "3"):
            new.kill(name)
        for name in ("1", "2", "3"):
            new.start(name)
        assert new.kv("get", "sum") == (0, "1")
        assert not (new.root / "1" / "backup").exists()

        old.registry = new.registry  # An old member that is started with the new registry.
        old.start("1")
        assert old.running.pop("1").wait(LONG_S) == 255
        assert "does not know" in old.said("1")


def test_members_that_begin_with_different_states_do_not_make_a_cluster(tmp_path: Path) -> None:
    town = KvTown(tmp_path)
    file = tmp_path / "saved"
    with living(town):
        assert town.kv("backup", str(file))[0] == 0
    mixed = KvTown(tmp_path / "mixed")
    mixed.root.mkdir()
    assert paxos("kv", "restore", str(file), "--to", str(mixed.root / "1")).status == 0
    mixed.start("registry")
    try:
        mixed.start("1")
        mixed.wait("1", "registered as server 0")
        mixed.start("2")
        assert mixed.running.pop("2").wait(LONG_S) == 255
        assert "all members of the cluster begin with the backup" in mixed.said("2")
    finally:
        for name in list(mixed.running):
            mixed.kill(name)


def test_a_backup_of_another_number_of_groups_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "saved"
    with living(KvTown(tmp_path)) as town:
        assert town.kv("backup", str(file))[0] == 0
    new = KvTown(tmp_path / "new")
    new.root.mkdir()
    new.options = ("--groups", "3", "--cluster-size", "1")
    assert paxos("kv", "restore", str(file), "--to", str(new.root / "1")).status == 0
    try:
        new.start("registry")
        new.start("1")
        assert new.running.pop("1").wait(LONG_S) == 255
        assert "the backup is of a cluster with --groups 1" in new.said("1")
        assert "Traceback" not in new.said("1")
    finally:
        for name in list(new.running):
            new.kill(name)


def test_a_damaged_backup_is_refused_with_a_sentence_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "saved"
    file.write_bytes(b"\x80" * 100)

    ended = paxos("kv", "restore", str(file), "--to", str(tmp_path / "1"))

    assert (ended.status, ended.out) == (1, "")
    assert "is no backup" in ended.said
    assert not (tmp_path / "1").exists()
    assert paxos("kv", "restore", str(tmp_path / "none")).status == 1
