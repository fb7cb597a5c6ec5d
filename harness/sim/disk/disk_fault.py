"""What a failing disk does, beyond losing power: lies, loses, misplaces, turns bits and remembers the past.

Such faults damage data that the program was told is safe, so a system survives them only up to a number of
replicas. A `Budget` keeps them recoverable; without one only safety may be asked of what they hit.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from ostrakon.harness.sim.disk.inode import Inode, Write
from ostrakon.harness.substrates.framing import flip

DiskFaultKind = Literal[
    "lost write", "misdirected write", "corrupt write", "stale read", "short read", "lying sync"
]

Decay = Literal["bit rot", "cut short"]
_LOST_MAX = 64
"""The maximum number of bytes that are lost from the end of a file."""


@dataclass(slots=True)
class Budget:
    """Limits how many machines are damaged; after the limit, only machines that are damaged already are
    damaged again."""

    machines_max: int
    struck: dict[str, None] = field(default_factory=dict)

    def allows(self, machine: str) -> bool:
        """Whether this machine may be damaged; from then on it may be always."""
        if machine not in self.struck and len(self.struck) >= self.machines_max:
            return False
        self.struck[machine] = None
        return True


@dataclass(frozen=True, slots=True)
class DiskFault:
    """What happens to some of the operations of a disk.

    A lost write is seen until the cache is gone, and never reaches the device. A misdirected one lands
    somewhere else in the file, a corrupt one has a bit turned. A stale read shows the file as it was when it
    was last durable. A short one gives less than was asked for although there is more: POSIX lets `read` do
    that, and programs have to reckon with it. A lying sync succeeds and does nothing.
    """

    kind: DiskFaultKind
    probability: float
    """The probability that a matching operation is affected."""
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(DiskFaultKind):
            raise ValueError(
                f"unknown disk fault {self.kind!r}; there are {', '.join(get_args(DiskFaultKind))}"
            )
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {self.probability}")


class FaultyDisk:
    """Draws which operations of one machine's disk are struck, and counts them."""

    def __init__(self, machine: str, rng: random.Random) -> None:
        self.faults: list[DiskFault] = []
        self.struck: dict[str, int] = {}
        """The number of operations that each kind of fault has affected."""
        self._machine, self._rng = machine, rng

    def strikes(self, kind: DiskFaultKind) -> bool:
        """Whether a fault of this kind affects the present operation."""
        for fault in self.faults:
            is_drawn = fault.kind == kind and self._rng.random() < fault.probability
            if is_drawn and (fault.budget is None or fault.budget.allows(self._machine)):
                self.struck[kind] = self.struck.get(kind, 0) + 1
                return True
        return False

    def shorten(self, data: bytes) -> bytes:
        """What a read gives of what it would have given; at least a byte, for none is the end of the file."""
        if len(data) < 2 or not self.strikes("short read"):
            return data
        return data[: self._rng.randrange(1, len(data))]

    def spoil(self, write: Write, size: int) -> Write:
        """How faults change a write to a file of this size."""
        if self.strikes("misdirected write"):
            write = Write(self._rng.randrange(size + 1), write.data)
        if self.strikes("corrupt write"):
            write = Write(write.offset, flip(write.data, self._rng.getrandbits(32)))
        return write


def decay(kind: Decay, files: Iterable[Inode], rng: random.Random) -> int:
    """Damage one of these files, if any holds something. Returns how many are damaged."""
    held = [inode for inode in files if inode.cached]
    if not held:
        return 0
    inode = rng.choice(held)
    if kind == "bit rot":
        _turn(inode, rng.randrange(8 * len(inode.cached)))
    else:
        _cut(inode, max(0, len(inode.cached) - rng.randint(1, _LOST_MAX)))
    return 1


def _turn(inode: Inode, bit: int) -> None:
    for content in (inode.cached, inode.durable):
        if bit < 8 * len(content):
            content[:] = flip(bytes(content), bit)


def _cut(inode: Inode, size: int) -> None:
    for content in (inode.cached, inode.durable):
        del content[size:]
