"""The model of what is durable, without any mount."""

from __future__ import annotations

import errno
import random
import stat
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.sim.disk.disk_fault import DiskFault
from ostrakon.harness.volume.volume import Volume

FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from("ab"), st.binary(min_size=1, max_size=6)),
        st.tuples(st.just("sync"), st.sampled_from("ab"), st.just(b"")),
    ),
    max_size=20,
)


def a_volume(seed: int = 0, **files: bytes) -> Volume:
    """A volume with these files, none of them synced."""
    volume = Volume(random.Random(seed))
    for name, content in files.items():
        volume.write(volume.make(name, FILE, 0), 0, content, 0)
    return volume


@given(st.integers(0, 2**32), STEPS)
def test_what_was_synced_outlives_the_power_and_what_was_not_is_a_first_part(
    seed: int, steps: list[tuple[str, str, bytes]]
) -> None:
    volume = a_volume(seed, a=b"", b=b"")
    volume.sync(volume.inode("a"))
    durable = {"a": b"", "b": b""}
    for what, name, data in steps:
        inode = volume.inode(name)
        if what == "append":
            volume.write(inode, len(inode.cached), data, 0)
        elif what == "sync":
            volume.sync(inode)
            durable[name] = bytes(inode.cached)
    cached = {name: bytes(volume.inode(name).cached) for name in "ab"}

    volume.lose_power()

    for name in "ab":
        left = bytes(volume.inode(name).cached)
        assert left.startswith(durable[name])
        assert cached[name].startswith(left)


@given(st.integers(0, 2**32))
def test_a_rename_happens_as_a_whole_or_not_at_all(seed: int) -> None:
    volume = a_volume(seed, old=b"new content")
    volume.sync(volume.inode("old"))
    volume.rename("old", "name")

    volume.lose_power()

    assert volume.entries("") in (["old"], ["name"])
    assert bytes(volume.inode(volume.entries("")[0]).cached) == b"new content"


def test_some_power_failures_lose_what_was_not_synced_and_some_do_not() -> None:
    def left(seed: int) -> bytes:
        volume = a_volume(seed, a=b"")
        volume.sync(volume.inode("a"))
        volume.write(volume.inode("a"), 0, b"xyz", 0)
        volume.lose_power()
        return bytes(volume.inode("a").cached)

    assert {b"", b"xyz"} <= {left(seed) for seed in range(50)}


def test_a_lying_sync_says_that_it_is_done_and_makes_nothing_durable() -> None:
    def is_lost(seed: int) -> bool:
        volume = a_volume(seed, a=b"acknowledged")
        volume.disturb(DiskFault("lying sync", 1.0))
        volume.sync(volume.inode("a"))
        volume.lose_power()
        return volume.entries("") != ["a"] or bytes(volume.inode("a").cached) != b"acknowledged"

    assert any(is_lost(seed) for seed in range(20))


@pytest.mark.parametrize("operation", ["read", "write", "sync"])
def test_an_operation_that_is_to_fail_fails_until_the_fault_is_over(operation: str) -> None:
    volume = a_volume(a=b"x")
    inode = volume.inode("a")
    acts: dict[str, Callable[[], object]] = {
        "read": lambda: volume.read(inode, 0, 1),
        "write": lambda: volume.write(inode, 0, b"y", 0),
        "sync": lambda: volume.sync(inode),
    }
    volume.failing[operation] = errno.EIO

    with pytest.raises(OSError, match="Input/output error") as failed:
        acts[operation]()

    assert failed.value.errno == errno.EIO
    assert volume.refusals == 1
    del volume.failing[operation]
    acts[operation]()


def test_no_file_grows_beyond_the_capacity_and_none_is_made() -> None:
    volume = a_volume(a=b"12345")
    volume.capacity = volume.used

    volume.write(volume.inode("a"), 0, b"54321", 0)
    with pytest.raises(OSError, match="No space left") as full:
        volume.write(volume.inode("a"), 5, b"6", 0)
    assert full.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        volume.make("b", FILE, 0)


def test_a_handle_outlives_the_name_of_its_file_and_no_power_failure() -> None:
    volume = a_volume(a=b"x")
    handle = volume.open("a")
    volume.remove("a")

    assert volume.read(volume.of(handle), 0, 1) == b"x"
    volume.lose_power()
    with pytest.raises(OSError, match="Bad file descriptor"):
        volume.of(handle)


def test_directories_are_made_listed_moved_with_what_is_in_them_and_removed_when_empty() -> None:
    volume = Volume(random.Random(0))
    volume.make("d", DIRECTORY, 0)
    volume.make("d/x", FILE, 0)
    volume.rename("d", "e")

    assert (volume.entries(""), volume.entries("e")) == (["e"], ["x"])
    with pytest.raises(OSError, match="not empty"):
        volume.remove_directory("e")
    with pytest.raises(IsADirectoryError):
        volume.remove("e")
    volume.remove("e/x")
    volume.remove_directory("e")
    assert volume.entries("") == []
    with pytest.raises(FileNotFoundError):
        volume.make("nowhere/x", FILE, 0)
