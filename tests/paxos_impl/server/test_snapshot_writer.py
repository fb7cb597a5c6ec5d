"""A snapshot is encoded in slices while the replica goes on, and shows one state."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from ostrakon.paxos_impl.core.multi import Image
from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.snapshot_writer import SLICE_BYTES, SnapshotWriter


class FakeStorage:
    def __init__(self) -> None:
        self.saved: list[Image] = []

    async def save_snapshot(self, image: Image) -> None:
        self.saved.append(image)


def filled(count: int, value: str) -> Sessions:
    sessions = Sessions(Store())
    sessions.execute(Command("a name", 0, None))
    for n in range(count):
        sessions.execute(Command("1", n + 1, ["put", f"k{n:06}", f"{value}{n}"]))
    return sessions


async def test_a_long_snapshot_shows_the_state_at_its_slot_though_the_state_changes_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    sessions, storage, saved = filled(30_000, "v" * 200), FakeStorage(), trio.Event()
    before = sessions.snapshot()
    pauses = 0

    async def change() -> None:
        nonlocal pauses
        while not saved.is_set():
            pauses += 1
            sessions.execute(Command("1", 30_000 + pauses, ["put", f"k{pauses:06}", "changed"]))
            await trio.lowlevel.checkpoint()

    writer = SnapshotWriter(storage, lambda image: saved.set(), print)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, nursery.cancel_scope)
        writer.take(7, (), sessions.parts)
        nursery.start_soon(change)
        await saved.wait()
        nursery.cancel_scope.cancel()

    (image,) = storage.saved
    assert image.snapshot.state == before
    assert image.id.size == len(image.data)
    assert len(before) > 5 << 20
    assert pauses >= len(before) // (1 << 17)


def longest(parts: Iterator[bytes]) -> int:
    return max(map(len, parts))


def test_parts_are_short_whatever_the_values_are() -> None:
    assert longest(filled(3000, "").parts()) <= SLICE_BYTES
    assert longest(filled(50, "v" * 50_000).parts()) <= 1 << 17
