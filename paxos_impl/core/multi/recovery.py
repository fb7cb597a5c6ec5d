"""Recovery: computes the state of a replica from the facts on its disk, read in their order.

A long log is executed while it is read, so only a bounded part of it is in memory. What must always hold: the
result equals the state of a replica that never stopped, except for slots that a snapshot contains.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.configuration import CLUSTER, Configuration
from ostrakon.paxos_impl.core.multi.effect import Chose, Fact, Promised, Voted
from ostrakon.paxos_impl.core.multi.log import FIRST, Cell, Log
from ostrakon.paxos_impl.core.multi.message import Entry
from ostrakon.paxos_impl.core.multi.rules import LOG_RULES, LogRules, configurations_after
from ostrakon.paxos_impl.core.multi.snapshot import Image, Snapshot


class Recovered(msgspec.Struct, frozen=True, gc=False):
    """What the disk of a replica has kept."""

    promised: Ballot | None = None
    log: Log = Log()
    commit_index: int = FIRST - 1
    """The last slot up to which all slots are known to be chosen."""
    image: Image | None = None
    """The snapshot that the log continues."""
    is_executed: bool = False
    """Whether the executor of the replay is in the state of that snapshot already."""

    @classmethod
    def of(cls, facts: Iterable[Fact], image: Image | None = None) -> Recovered:
        """The state after these facts, oldest first, on top of a snapshot."""
        recovery = Recovery()
        recovery.begin(image)
        recovery.add(facts)
        return recovery.recovered()


class Executor(Protocol):
    """A state machine with the sessions of its clients."""

    def execute(self, command: Command) -> object:
        """Execute the next command of the log."""

    def begin_replay(self) -> None:
        """A long log is executed next, and then a snapshot is taken."""

    def snapshot(self) -> bytes:
        """The state, encoded."""

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by an encoded one."""


class Replay(msgspec.Struct, frozen=True):
    """How to execute a log while it is read."""

    executor: Executor
    """A state machine at its first state, which nobody else uses."""
    founders: Configuration
    """The first configuration of the log."""
    every: int
    """Execution begins when this many slots can be executed."""
    rules: LogRules = LOG_RULES


class Recovery:
    """Computes a state. Call `begin` with the snapshot, then `add` with facts, then `recovered`."""

    def __init__(self, replay: Replay | None = None) -> None:
        """Without a `replay` nothing is executed, and all facts stay in memory."""
        self._replay = replay
        self._image: Image | None = None
        self._base = self._applied = FIRST - 1
        self._is_long = False
        self._configurations: tuple[Configuration, ...] = ()
        self._promised: Ballot | None = None
        self._accepted: dict[int, Entry] = {}
        self._chosen: dict[int, Entry] = {}
        self.top = FIRST - 1
        """The highest slot of any fact so far."""

    def begin(self, image: Image | None) -> None:
        """Start from a snapshot, or from an empty log."""
        self._image = image
        self._base = self._applied = FIRST - 1 if image is None else image.slot

    def add(self, facts: Iterable[Fact]) -> None:
        """Take these facts into account, which are newer than those before.

        Raises: what the executor raises.
        """
        applied, accepted, chosen = self._applied, self._accepted, self._chosen
        promised, top = self._promised, self.top
        for fact in facts:
            if type(fact) is Voted:  # Runs millions of times, and is several times faster than `match`.
                entry = fact.entry
                slot = entry.slot
                promised = entry.ballot
                if slot > applied:
                    accepted[slot] = entry
            elif type(fact) is Chose:
                slot = fact.slot
                held = fact.entry or accepted.get(slot)
                if slot > applied and held is not None:
                    chosen[slot] = held
            else:
                assert isinstance(fact, Promised), fact
                promised = fact.ballot
                continue
            if slot > top:
                top = slot
        self._promised, self.top = promised, top
        if self._replay is not None and (self._is_long or len(chosen) >= self._replay.every):
            self._is_long = True  # From now on each batch of facts, while it is still in the cache.
            self._execute(self._replay)

    @property
    def has_facts(self) -> bool:
        """Whether any fact was added."""
        return self._promised is not None or self.top >= FIRST

    def recovered(self) -> Recovered:
        """The state after all facts. Its snapshot contains the slots that were executed."""
        is_executed = self._applied > self._base
        if is_executed:
            assert self._replay is not None, "nobody has executed anything"
            state = self._replay.executor.snapshot()
            self._image = Image.of(Snapshot(self._applied, self._configurations, state))
            self._base = self._applied
        commit_index, chosen = self._applied, self._chosen
        cells = {slot: Cell(entry.vote, _vote(chosen.get(slot))) for slot, entry in self._accepted.items()}
        cells |= {slot: Cell(None, entry.vote) for slot, entry in chosen.items() if slot not in cells}
        while commit_index + 1 in chosen:
            commit_index += 1
        return Recovered(self._promised, Log.of(cells, self._base), commit_index, self._image, is_executed)

    def _execute(self, replay: Replay) -> None:
        """Execute all slots that are known without gaps, and drop them."""
        if not self._configurations:
            self._prepare(replay)
        execute, slot = replay.executor.execute, self._applied + 1
        while (entry := self._chosen.pop(slot, None)) is not None:
            self._accepted.pop(slot, None)
            changes = len(self._configurations) > 1
            for command in entry.batch:
                execute(command)
                changes = changes or command.client.startswith(CLUSTER)
            if changes:
                after = configurations_after(replay.rules, self._configurations, slot, entry.batch)
                self._configurations = after.configurations
            slot += 1
        self._applied = slot - 1

    def _prepare(self, replay: Replay) -> None:
        """Put the executor into the state of the snapshot."""
        if self._image is None:
            self._configurations = (replay.founders,)
        else:
            self._configurations = self._image.snapshot.configurations
            replay.executor.restore(self._image.snapshot.state)
        replay.executor.begin_replay()


def _vote(entry: Entry | None) -> Vote | None:
    return None if entry is None else entry.vote
