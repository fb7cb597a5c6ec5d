"""The journal that all groups of a server share, so that one sync makes the facts of several groups durable.

    journal   a record for each `save` of a group, in order

While a sync is in progress, further facts of all groups are collected, and the next sync is for all of them.
When the journal is long, the facts of each group are written to a log of its own, and the journal is emptied.

What must always hold: `save` returns only after a sync that began after its facts were written. The journal
is emptied only when the logs of the groups have all that was in it, durably.

The event loop that the journal runs on is Trio's by default; a simulation without an event loop gives its
own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn, Protocol

import msgspec
import trio

from ostrakon.paxos_impl.core.multi import Fact
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WriteAheadLog, WrongStorage


class Event(Protocol):
    """Something that happens once."""

    def set(self) -> None:
        """It has happened."""

    async def wait(self) -> None:
        """Return when it has happened."""


class EventLoop(Protocol):
    """Waits."""

    def event(self) -> Event:
        """An event that has not happened."""

    def now_s(self) -> float:
        """The monotonic clock, in seconds."""

    async def run_all(self, works: list[Callable[[], Awaitable[None]]]) -> None:
        """Run all of these concurrently; they raise nothing."""


class TrioLoop:
    """Trio's event loop. An `EventLoop`."""

    def event(self) -> Event:
        """A Trio event."""
        return trio.Event()

    def now_s(self) -> float:
        """Trio's clock."""
        return trio.current_time()

    async def run_all(self, works: list[Callable[[], Awaitable[None]]]) -> None:
        """Run these in a nursery."""
        async with trio.open_nursery() as nursery:
            for work in works:
                nursery.start_soon(work)


TRIO = TrioLoop()


FORMAT = "paxos-journal-1"

Keep = Callable[[int, Sequence[Fact]], Awaitable[None]]
"""Writes facts of a group to its own log, durably and in order. Raises: StorageFailed."""


class Saved(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record: the facts of one `save` of one group."""

    group: int
    facts: tuple[Fact, ...]


class WriteBatch:
    """The records that one sync makes durable."""

    def __init__(self, is_over: Event) -> None:
        self.payloads: list[bytes] = []
        self.saved: list[Saved] = []
        self.is_over = is_over
        """Set when that sync is done or has failed."""

    def add(self, saved: Saved) -> None:
        """Add a record."""
        self.saved.append(saved)
        self.payloads.append(_encode(saved))


class GroupJournal:
    """Saves facts while `run` runs; call `begin` first, which makes it empty."""

    def __init__(self, log: WriteAheadLog, keep: Keep, *, bytes_max: int, loop: EventLoop = TRIO) -> None:
        """`keep` is called with the facts of each group when the journal is longer than `bytes_max`."""
        self._loop = loop
        self._log, self._keep, self._bytes_max = log, keep, bytes_max
        self._filled = loop.event()
        self._next = self._batch()
        self._held: dict[int, list[Fact]] = {}
        self._size = 0
        self.syncs = 0
        """Number of syncs, those of the groups' own logs included."""
        self.syncing_s = 0.0
        """Time spent in syncs, in seconds."""
        self.failure: StorageFailed | None = None
        """Why nothing can be saved any more; None if it can."""

    async def begin(self) -> None:
        """Make the journal empty, durably; its facts are in the groups' own logs. Raises: StorageFailed."""
        await self._log.replace([_encode(FORMAT)])
        self._held, self._size = {}, 0

    async def save(self, group: int, facts: Sequence[Fact]) -> None:
        """Add facts of a group; durable on return.

        Raises: StorageFailed.
        """
        if self.failure is None:
            self._next.add(Saved(group, tuple(facts)))
            self._filled.set()
            await self._batch_to_wait_for().is_over.wait()
        if self.failure is not None:
            raise self.failure

    async def run(self) -> NoReturn:
        """Write and sync one batch after the other.

        Raises: StorageFailed.
        """
        while True:
            await self._filled.wait()
            self._filled = self._loop.event()
            batch, self._next = self._next, self._batch()
            try:
                await self._write(batch)
            except StorageFailed as error:
                self.failure = error
                batch.is_over.set()
                self._next.is_over.set()
                raise

    def _batch(self) -> WriteBatch:
        return WriteBatch(self._loop.event())

    def _batch_to_wait_for(self) -> WriteBatch:
        """The batch that the last added record is in; it is not the one that is being written now."""
        return self._next

    async def _write(self, batch: WriteBatch) -> None:
        begun_s = self._loop.now_s()
        await self._log.append(*batch.payloads)
        self._count(1, begun_s)
        batch.is_over.set()
        for saved in batch.saved:
            self._held.setdefault(saved.group, []).extend(saved.facts)
        self._size += sum(map(len, batch.payloads))
        if self._size >= self._bytes_max:
            begun_s = self._loop.now_s()
            await self._move_to_groups(self._held)
            await self.begin()
            self._count(len(self._held) + 1, begun_s)

    async def _move_to_groups(self, held: dict[int, list[Fact]]) -> None:
        """Write the facts of each group to its own log, all concurrently."""
        failures: list[StorageFailed] = []

        async def keep(group: int) -> None:
            try:
                await self._keep(group, held[group])
            except StorageFailed as error:
                failures.append(error)

        await self._loop.run_all([partial(keep, group) for group in held])
        if failures:
            raise failures[0]

    def _count(self, syncs: int, begun_s: float) -> None:
        self.syncs += syncs
        self.syncing_s += self._loop.now_s() - begun_s


async def read_journal(log: WriteAheadLog, path: str, groups: int) -> list[list[Fact]] | None:
    """The facts in a journal by group, oldest first; None if there is no journal.

    Raises: DamagedLog; WrongStorage; StorageFailed.
    """
    if (payloads := await log.load()) is None:
        return None
    if not payloads:
        raise DamagedLog(path, 0, "it has no beginning")
    facts: list[list[Fact]] = [[] for _ in range(groups)]
    try:
        if (found := msgspec.msgpack.decode(payloads[0])) != FORMAT:
            raise WrongStorage(f"{path} has the format {found!r}; this version reads {FORMAT!r}")
        for saved in map(_decode, payloads[1:]):
            if not 0 <= saved.group < groups:
                raise WrongStorage(f"{path} has a record of group {saved.group}; there are {groups} groups")
            facts[saved.group] += saved.facts
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the journal of a server: {error}") from None
    return facts


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode
