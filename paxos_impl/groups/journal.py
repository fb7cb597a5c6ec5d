"""The journal that all groups of a server share: what they have to remember, with as few syncs as possible.

    journal   a record for each time that a group saved something, in order

While a sync is under way whatever else is to be saved is gathered, by whichever groups, and the next sync is
for all of that. From time to time each group is handed what the journal has of it, for a log of its own, and
the journal is begun anew.

What must always hold: `save` returns only when a sync has been done that began after its facts were written;
and the journal is begun anew only when each group has durably all that was in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

import msgspec
import trio

from ostrakon.paxos_impl.core.multi import Fact
from ostrakon.paxos_impl.record import DamagedLog
from ostrakon.paxos_impl.storage import Log, StorageFailed, WrongStorage

FORMAT = "paxos-journal-1"

Keep = Callable[[int, Sequence[Fact]], Awaitable[None]]
"""Makes facts of a group durable elsewhere, after all before them. Raises: StorageFailed."""


class Saved(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record: what one group saved at once."""

    group: int
    facts: tuple[Fact, ...]


class Batch:
    """What is made durable by one sync."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.saved: list[Saved] = []
        self.is_over = trio.Event()
        """That sync is done, or has failed."""

    def add(self, saved: Saved) -> None:
        """Let this be made durable too."""
        self.saved.append(saved)
        self.payloads.append(_encode(saved))


class Journal:
    """Saves as long as `run` runs. It is empty to begin with: `begin` makes it so."""

    def __init__(self, log: Log, keep: Keep, *, bytes_max: int) -> None:
        """`keep` is called with what is in the journal when that is longer than `bytes_max`."""
        self._log, self._keep, self._bytes_max = log, keep, bytes_max
        self._filled = trio.Event()
        self._next = Batch()
        self._held: dict[int, list[Fact]] = {}
        self._size = 0
        self.syncs = 0
        """How many there were, those of handing over too."""
        self.syncing_s = 0.0
        """How long they took."""
        self.failure: StorageFailed | None = None
        """Why nothing can be saved any more."""

    async def begin(self) -> None:
        """Be empty, durably: what was in it before has been kept elsewhere. Raises: StorageFailed."""
        await self._log.replace([_encode(FORMAT)])
        self._held, self._size = {}, 0

    async def save(self, group: int, facts: Sequence[Fact]) -> None:
        """Add to what is to be found after a restart; durable on return.

        Raises: StorageFailed.
        """
        if self.failure is None:
            self._next.add(Saved(group, tuple(facts)))
            self._filled.set()
            await self._batch_to_wait_for().is_over.wait()
        if self.failure is not None:
            raise self.failure

    async def run(self) -> NoReturn:
        """Make durable what is to be saved, batch by batch.

        Raises: StorageFailed.
        """
        while True:
            await self._filled.wait()
            self._filled = trio.Event()
            batch, self._next = self._next, Batch()
            try:
                await self._write(batch)
            except StorageFailed as error:
                self.failure = error
                batch.is_over.set()
                self._next.is_over.set()
                raise

    def _batch_to_wait_for(self) -> Batch:
        """The one that what has just been added is in; what is being written now is without that."""
        return self._next

    async def _write(self, batch: Batch) -> None:
        begun_s = trio.current_time()
        await self._log.append(*batch.payloads)
        self._count(1, begun_s)
        batch.is_over.set()
        for saved in batch.saved:
            self._held.setdefault(saved.group, []).extend(saved.facts)
        self._size += sum(map(len, batch.payloads))
        if self._size >= self._bytes_max:
            begun_s = trio.current_time()
            await self._hand_over(self._held)
            await self.begin()
            self._count(len(self._held) + 1, begun_s)

    async def _hand_over(self, held: dict[int, list[Fact]]) -> None:
        """Have each group keep what the journal has of it, all side by side."""
        failures: list[StorageFailed] = []

        async def keep(group: int) -> None:
            try:
                await self._keep(group, held[group])
            except StorageFailed as error:
                failures.append(error)

        async with trio.open_nursery() as nursery:
            for group in held:
                nursery.start_soon(keep, group)
        if failures:
            raise failures[0]

    def _count(self, syncs: int, begun_s: float) -> None:
        self.syncs += syncs
        self.syncing_s += trio.current_time() - begun_s


async def read_journal(log: Log, path: str, groups: int) -> list[list[Fact]] | None:
    """The facts in a journal, by group, oldest first; None if there is none.

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
                raise WrongStorage(f"{path} has something of group {saved.group}; there are {groups} groups")
            facts[saved.group] += saved.facts
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the journal of a server: {error}") from None
    return facts


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode
