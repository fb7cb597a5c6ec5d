"""The registry: ids are given once, for ever, and everyone is told of the same cluster, or of none."""

from __future__ import annotations

import errno
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.registry.enrollment import NotEnrolled, enroll
from ostrakon.paxos_impl.registry.server import (
    GetMembership,
    Register,
    Registry,
    View,
    ask_registry,
    serve_registry,
)
from ostrakon.paxos_impl.registry.state import Denied, Granted, RegistryState, canonical
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WrongStorage
from ostrakon.paxos_impl.wire.frame import BadFrame, frame
from ostrakon.paxos_impl.wire.membership import Address, Membership
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost

A, B, C = (Address(f"10.0.0.{n}", 7000) for n in (1, 2, 3))

addresses = st.builds(
    Address, st.sampled_from(["10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1", "name"]), st.integers(1, 2)
)
requests = st.tuples(addresses, st.sampled_from("stuv"), st.integers(0, 4))


# The book.


def test_the_id_is_the_count_so_far() -> None:
    book = RegistryState("blue")
    answers = []
    for address, token in [(A, "a"), (B, "b"), (C, "c")]:
        book, answer = book.register(address, token, 3)
        answers.append(answer)

    assert answers == [Granted(0, "blue"), Granted(1, "blue"), Granted(2, "blue")]
    assert book.membership == Membership({0: A, 1: B, 2: C}, "blue")


def test_the_same_address_twice_is_refused() -> None:
    book, _ = RegistryState("blue").register(A, "a", 3)

    assert book.register(A, "other", 3) == (book, Denied(f"{A} is registered already, by another instance"))


def test_a_retry_or_a_restart_gets_its_own_id_back() -> None:
    book, first = RegistryState("blue").register(A, "a", 3)
    book, _ = book.register(B, "b", 3)

    assert book.register(A, "a", 3) == (book, first)


def test_one_instance_can_not_register_under_two_addresses() -> None:
    book, _ = RegistryState("blue").register(A, "a", 3)

    assert book.register(B, "a", 3) == (book, Denied(f"this instance is registered already, as {A}"))


@pytest.mark.parametrize("alias", ["::ffff:10.0.0.1", "::FFFF:0a00:0001"])
def test_an_address_has_one_spelling(alias: str) -> None:
    book, _ = RegistryState("blue").register(A, "a", 3)

    _, answer = book.register(Address(alias, 7000), "b", 3)

    assert answer == Denied(f"{A} is registered already, by another instance")


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("localhost", 7000, "is not an IP address"),
        ("127.1", 7000, "is not an IP address"),
        ("0.0.0.0", 7000, "no other machine can connect"),
        ("::", 7000, "no other machine can connect"),
        ("224.0.0.1", 7000, "no other machine can connect"),
        ("10.0.0.1", 0, "port 0"),
        ("10.0.0.1", 65536, "port 65536"),
    ],
)
def test_what_nobody_could_dial_is_refused(host: str, port: int, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        canonical(Address(host, port))
    assert isinstance(RegistryState("blue").register(Address(host, port), "a", 3)[1], Denied)


def test_nobody_is_told_of_a_cluster_that_is_not_complete() -> None:
    book, _ = RegistryState("blue").register(A, "a", 3)
    book, _ = book.register(B, "b", 3)

    assert book.membership is None


def test_a_complete_cluster_takes_nobody_in() -> None:
    book, _ = RegistryState("blue").register(A, "a", 1)

    assert book.register(B, "b", 1) == (book, Denied("the cluster has its 1 members already"))


@pytest.mark.parametrize(("address", "token"), [(B, "b"), (A, "a")])
def test_all_must_mean_the_same_cluster_size(address: Address, token: str) -> None:
    book, _ = RegistryState("blue").register(A, "a", 3)

    assert book.register(address, token, 5) == (book, Denied("the cluster is to have 3 members, not 5"))


def test_all_must_begin_with_the_same_backup() -> None:
    book, first = RegistryState("blue").register(A, "a", 3, "one backup")
    assert first == Granted(0, "blue")

    for address, token in ((A, "a"), (B, "b")):
        for backup in ("", "another"):
            after, answer = book.register(address, token, 3, backup)
            assert after == book
            assert isinstance(answer, Denied)
            assert "all members of the cluster begin with the backup one backup" in answer.why
    assert book.register(B, "b", 3, "one backup")[1] == Granted(1, "blue")


@given(st.lists(requests, max_size=30))
def test_whoever_asks_for_whatever_ids_are_unique_and_entries_stay(
    asked: list[tuple[Address, str, int]],
) -> None:
    book = RegistryState("blue")
    views: list[Membership] = []
    for address, token, size in asked:
        before = book
        book, answer = book.register(address, token, size)

        assert book.entries[: len(before.entries)] == before.entries
        if isinstance(answer, Granted):
            assert book.entries[answer.server_id].token == token
        else:
            assert book == before
        if book.membership is not None:
            views.append(book.membership)

    assert len({entry.address for entry in book.entries}) == len(book.entries)
    assert len({entry.token for entry in book.entries}) == len(book.entries)
    assert all(view == views[0] for view in views), "two views of one cluster"


# The process that keeps it.


def cluster_ids() -> Iterator[str]:
    return (f"cluster-{n}" for n in count())


@asynccontextmanager
async def running(disk: Disk, ids: Iterator[str], log: list[str] | None = None) -> AsyncIterator[Address]:
    async with trio.open_nursery() as nursery:
        lines = log if log is not None else []
        address: Address = await nursery.start(
            lambda *, task_status: serve_registry(
                Address("127.0.0.1", 0),
                disk=disk,
                new_cluster_id=lambda: next(ids),
                log=lines.append,
                task_status=task_status,
            )
        )
        yield address
        nursery.cancel_scope.cancel()


async def test_registrations_at_the_same_moment_get_different_ids() -> None:
    disk = MemoryDisk()
    registry = Registry(disk, lambda line: None)
    await registry.recover(lambda: "blue")
    disk.gate = trio.Event()
    answers = []

    async def register(n: int) -> None:
        answers.append(await registry.register(Register(f"10.0.0.{n}", 7000, f"t{n}", 9)))

    async with trio.open_nursery() as nursery:
        for n in range(1, 10):
            nursery.start_soon(register, n)
        await trio.testing.wait_all_tasks_blocked()
        assert not answers, "an answer left before its entry was durable"
        disk.gate.set()

    assert sorted(answer.server_id for answer in answers if isinstance(answer, Granted)) == list(range(9))


async def test_a_registry_that_lost_power_goes_on_where_it_was() -> None:
    disk, ids = MemoryDisk(), cluster_ids()
    log: list[Any] = []
    async with running(disk, ids) as address:
        first = await ask_registry(address, Register(*A, "a", 2))
    disk.lose_power()

    async with running(disk, ids, log) as address:
        assert log[0] == f"registered servers: 0: {A}"
        assert await ask_registry(address, GetMembership()) == View(None, 1, 2)
        again = await ask_registry(address, Register(*A, "a", 2))
        second = await ask_registry(address, Register(*B, "b", 2))
        view = await ask_registry(address, GetMembership())

    assert first == again == Granted(0, "cluster-0")
    assert second == Granted(1, "cluster-0")
    assert view == View(Membership({0: A, 1: B}, "cluster-0"), 2, 2)
    listed = [line for line in log if line.startswith("registered servers")]
    assert listed[-1] == f"registered servers: 0: {A}, 1: {B}"


async def test_an_entry_that_did_not_become_durable_was_never_granted() -> None:
    disk, ids = MemoryDisk(), cluster_ids()
    async with running(disk, ids) as address:
        disk.gate = trio.Event()
        with trio.move_on_after(0.05) as waited:
            await ask_registry(address, Register(*A, "a", 2))
        assert waited.cancelled_caught
    disk.gate = None
    disk.lose_power()

    async with running(disk, ids) as address:
        assert await ask_registry(address, Register(*B, "b", 2)) == Granted(0, "cluster-0")


class ForgetfulDisk(MemoryDisk):
    """Fails to sync, once, what it will still show to who reads it."""

    fails = True

    async def sync(self, path: str) -> None:
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error")
        await super().sync(path)


async def test_what_a_registry_reads_when_it_starts_again_it_makes_durable_before_it_tells_anyone() -> None:
    disk = ForgetfulDisk()
    first = await recovered(disk)
    with pytest.raises(StorageFailed):
        await first.register(Register(A.host, A.port, "a", 2))

    told = await (await recovered(disk)).register(Register(A.host, A.port, "a", 2))
    disk.lose_power()
    other = await (await recovered(disk)).register(Register(B.host, B.port, "b", 2))

    assert (told, other) == (Granted(0, "blue"), Granted(1, "blue"))


async def test_a_registry_that_starts_again_knows_what_backup_its_cluster_begins_with() -> None:
    disk = MemoryDisk()
    await (await recovered(disk)).register(Register(A.host, A.port, "a", 2, "a backup"))

    again = await recovered(disk)

    assert isinstance(await again.register(Register(B.host, B.port, "b", 2)), Denied)
    assert await again.register(Register(B.host, B.port, "b", 2, "a backup")) == Granted(1, "blue")


async def recovered(disk: Disk) -> Registry:
    registry = Registry(disk, lambda line: None)
    await registry.recover(lambda: "blue")
    return registry


async def test_a_registry_whose_disk_fails_stops_and_says_so() -> None:
    disk = MemoryDisk()

    async def register_on_a_full_disk() -> None:
        async with running(disk, cluster_ids()) as address:
            disk.failing = errno.ENOSPC
            with pytest.raises(BadFrame, match="without an answer"):
                await ask_registry(address, Register(*A, "a", 2))
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await register_on_a_full_disk()

    assert isinstance(_only(caught.value), StorageFailed)
    assert "No space left" in str(_only(caught.value))


def _only(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    return error


async def test_a_damaged_book_is_refused() -> None:
    disk, ids = MemoryDisk(), cluster_ids()
    async with running(disk, ids) as address:
        await ask_registry(address, Register(*A, "a", 2))
    disk.written["registry"] = disk.written["registry"].replace(b"10.0.0.1", b"10.0.0.9")

    with pytest.raises(DamagedLog, match=r"registry, at byte \d+"):
        await Registry(disk, lambda line: None).recover(lambda: next(ids))


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", frame(b"nonsense"), b"\xff" * 100])
async def test_nonsense_closes_its_own_connection_only(nonsense: bytes) -> None:
    log: list[str] = []
    async with running(MemoryDisk(), cluster_ids(), log) as address:
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(nonsense)
            assert await stream.receive_some() == b""

        assert await ask_registry(address, Register(*A, "a", 2)) == Granted(0, "cluster-0")
    assert any("closed a connection" in line for line in log)


# Instances that come to it.


async def enrolled(
    registry: Address, address: Address, size: int, disk: Disk, token: str
) -> tuple[int, Membership]:
    return await enroll(registry, address, size, disk=disk, new_token=lambda: token)


async def test_all_instances_are_told_of_the_same_cluster_once_it_is_complete() -> None:
    told: dict[str, tuple[int, Membership]] = {}

    async def come(registry: Address, address: Address, token: str) -> None:
        told[token] = await enrolled(registry, address, 3, MemoryDisk(), token)

    async with running(MemoryDisk(), cluster_ids()) as registry, trio.open_nursery() as nursery:
        nursery.start_soon(come, registry, A, "a")
        nursery.start_soon(come, registry, B, "b")
        await trio.sleep(0.05)
        assert not told, "an instance went ahead without the others"
        nursery.start_soon(come, registry, C, "c")

    assert sorted(server_id for server_id, _ in told.values()) == [0, 1, 2]
    assert len({str(membership) for _, membership in told.values()}) == 1


async def test_a_restarted_instance_gets_its_own_id_back_even_if_its_registry_is_gone() -> None:
    disk = MemoryDisk()
    async with running(MemoryDisk(), cluster_ids()) as registry:
        first = await enrolled(registry, A, 1, disk, "a")
        disk.lose_power()
        assert await enrolled(registry, A, 1, disk, "another token") == first

    assert await enrolled(registry, A, 1, disk, "another token") == first


async def test_a_backup_can_not_be_put_into_the_data_of_an_instance_that_began_without_it() -> None:
    disk = MemoryDisk()
    async with running(MemoryDisk(), cluster_ids()) as registry:
        await enrolled(registry, A, 1, disk, "a")
        with pytest.raises(WrongStorage, match="restore a backup into a new directory"):
            await enroll(registry, A, 1, disk=disk, new_token=lambda: "a", backup="a backup")


@pytest.mark.parametrize("operation", range(5))
async def test_wherever_power_fails_an_instance_that_enrolls_is_one_and_the_same(operation: int) -> None:
    disk, tokens = MemoryDisk(), (f"token {n}" for n in count())
    disk.dies_before = operation
    async with running(MemoryDisk(), cluster_ids()) as registry:

        async def come() -> tuple[int, Membership]:
            return await enroll(registry, A, 1, disk=disk, new_token=lambda: next(tokens))

        if operation < 4:
            with pytest.raises(PowerLost):
                await come()
        disk.lose_power()

        assert await come() == (0, Membership({0: A}, "cluster-0"))
        assert await ask_registry(registry, GetMembership()) == View(Membership({0: A}, "cluster-0"), 1, 1)


@pytest.mark.parametrize(
    ("address", "size", "why"),
    [(B, 1, f"belongs to the instance at {A}, not {B}"), (A, 2, "cluster of 1 members, not 2")],
)
async def test_data_of_another_instance_is_refused(address: Address, size: int, why: str) -> None:
    disk = MemoryDisk()
    async with running(MemoryDisk(), cluster_ids()) as registry:
        await enrolled(registry, A, 1, disk, "a")

        with pytest.raises(WrongStorage, match=re.escape(why)):
            await enrolled(registry, address, size, disk, "a")


async def test_an_instance_does_not_join_a_second_cluster() -> None:
    disk = MemoryDisk()
    async with running(MemoryDisk(), iter(["blue"])) as registry:
        await enrolled(registry, A, 1, disk, "a")

    async with running(MemoryDisk(), iter(["red"])) as registry:
        with pytest.raises(NotEnrolled, match="server 0 in cluster blue"):
            await enrolled(registry, A, 1, disk, "a")


async def test_an_instance_that_is_refused_says_why() -> None:
    async with running(MemoryDisk(), cluster_ids()) as registry:
        await enrolled(registry, A, 1, MemoryDisk(), "a")

        with pytest.raises(NotEnrolled, match="registered already, by another instance"):
            await enrolled(registry, A, 1, MemoryDisk(), "b")


async def test_an_instance_waits_for_a_registry_that_is_not_there_yet() -> None:
    registry_disk = MemoryDisk()
    async with running(registry_disk, cluster_ids()) as registry:
        pass
    log: list[str] = []
    told: list[tuple[int, Membership]] = []

    async def come() -> None:
        told.append(await enroll(registry, A, 1, disk=MemoryDisk(), new_token=lambda: "a", log=log.append))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come)
        while not log:
            await trio.sleep(0.01)
        assert "does not answer" in log[0]
        nursery.start_soon(_serve_at, registry, registry_disk)
        while not told:
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()

    assert told == [(0, Membership({0: A}, "cluster-0"))]


async def _serve_at(address: Address, disk: Disk) -> None:
    await serve_registry(address, disk=disk, new_cluster_id=lambda: "never")
