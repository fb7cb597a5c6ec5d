"""A machine's disk: files with a page cache over what is durable, and crashes that tell the two apart.

Writes go to the page cache and survive the death of the process. `sync` makes a file durable, and with it
its name. When the power fails, each file keeps what was durable and a random prefix of what was written to
it since, in order, the last surviving write perhaps torn. `replace` is atomic, and durable when it returns.

Names are paths of the simulated disk, with `/` between directories, which need not be created.
"""

from __future__ import annotations

import errno
import os
import random
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import trio
from trio.lowlevel import Abort

from harness.sim._trio import Trap, park
from harness.sim.latency import Exponential, Latency

if TYPE_CHECKING:
    from harness.sim.machine import Machine
    from harness.sim.process import Process

Operation = Literal["read", "write", "sync"]
_UNCANCELLABLE = Trap(lambda _: Abort.FAILED)


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were written at an offset."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """The file was cut, or extended with zeros."""

    size: int


Change = Write | Resize


@dataclass(slots=True)
class File:
    """One file: what programs see, what a power failure leaves, and the way from this to that."""

    cached: bytearray = field(default_factory=bytearray)
    durable: bytes | None = None
    """None while not even its name is durable."""
    unsynced: list[Change] = field(default_factory=list)

    def change(self, change: Change) -> None:
        """Change what programs see."""
        apply(self.cached, change)
        self.unsynced.append(change)

    def sync(self) -> None:
        """Make durable what programs see."""
        if self.unsynced or self.durable is None:
            self.durable = bytes(self.cached)
            self.unsynced.clear()


def apply(content: bytearray, change: Change) -> None:
    """Make one change to the content of a file."""
    match change:
        case Resize(size):
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Write(offset, data):
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data


def survivors(file: File, rng: random.Random) -> bytes | None:
    """What a power failure leaves of a file: None if not even its name."""
    if file.durable is None and rng.random() < 0.5:
        return None
    content = bytearray(file.durable or b"")
    kept = rng.randrange(len(file.unsynced) + 1)
    for change in file.unsynced[:kept]:
        apply(content, change)
    if kept < len(file.unsynced) and rng.random() < 0.5:
        match file.unsynced[kept]:
            case Write(offset, data):
                apply(content, Write(offset, data[: rng.randrange(len(data) + 1)]))
            case Resize():
                pass
    return bytes(content)


class SimDisk:
    """The disk as its machine's program uses it, and as the nemesis spoils it."""

    def __init__(self, machine: Machine) -> None:
        self.files: dict[str, File] = {}
        self.sync_latency: Latency = Exponential(mean_ms=1.0, floor_ms=0.2)
        """How long `sync` and `replace` take."""
        self.capacity: int | None = None
        """Bytes that fit; writing more fails with ENOSPC."""
        self.failing: dict[Operation, int] = {}
        """Operations that fail, with the errno they fail with, until this is taken out again."""
        self.syncs = 0
        """How often something was made durable."""
        self.lost_writes = 0
        """How many writes power failures have lost or torn."""
        self._machine = machine
        self._kernel = machine.world.kernel

    # What programs call.

    async def read(self, path: str) -> bytes:
        """The content of a file. Raises: FileNotFoundError, OSError."""
        await self._begin("read", path)
        return bytes(self._require(path).cached)

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file, which is created if need be. Raises: OSError."""
        await self._begin("write", path, len(data))
        file = self.files.setdefault(path, File())
        file.change(Write(len(file.cached), bytes(data)))

    async def write(self, path: str, offset: int, data: bytes) -> None:
        """Write somewhere in a file, which is created if need be. Raises: OSError."""
        await self._begin("write", path, len(data))
        self.files.setdefault(path, File()).change(Write(offset, bytes(data)))

    async def truncate(self, path: str, size: int) -> None:
        """Cut a file, or extend it with zeros. Raises: FileNotFoundError, OSError."""
        await self._begin("write", path)
        self._require(path).change(Resize(size))

    async def sync(self, path: str) -> None:
        """Make a file and its name durable. Raises: FileNotFoundError, OSError."""
        await self._begin("sync", path)
        file = self._require(path)
        await self._wait()
        self._check("sync")
        file.sync()
        self.syncs += 1

    async def replace(self, path: str, data: bytes) -> None:
        """Put new content in the place of a file, at once and durably. Raises: OSError."""
        await self._begin("write", path, len(data))
        await self._wait()
        self._check("sync")
        file = File(bytearray(data))
        file.sync()
        self.files[path] = file
        self.syncs += 1

    async def remove(self, path: str) -> None:
        """Remove a file, durably. Raises: FileNotFoundError, OSError."""
        await self._begin("write", path)
        self._require(path)
        del self.files[path]

    async def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        await self._begin("read", path)
        return path in self.files

    async def list(self, directory: str = "") -> list[str]:
        """The paths of the files below a directory, sorted."""
        await self._begin("read", directory)
        prefix = directory.rstrip("/") + "/" if directory else ""
        return sorted(path for path in self.files if path.startswith(prefix))

    # What happens to it.

    def power_off(self) -> None:
        """Lose what was not synced, or some of it."""
        for path, file in sorted(self.files.items()):
            content = survivors(file, self._rng)
            self.lost_writes += content is None or content != bytes(file.cached)
            if content is None:
                del self.files[path]
            else:
                self.files[path] = File(bytearray(content), content)

    def fail(self, operation: Operation, error: int = errno.EIO) -> None:
        """Let an operation fail from now on, with EIO or another errno."""
        self.failing[operation] = error

    def mend(self) -> None:
        """Let every operation succeed again, and everything fit."""
        self.failing.clear()
        self.capacity = None

    @property
    def used(self) -> int:
        """Bytes in all files."""
        return sum(len(file.cached) for file in self.files.values())

    # Below.

    @cached_property
    def _rng(self) -> random.Random:
        return self._machine.world.rng("disk", self._machine.name)

    async def _begin(self, operation: Operation, path: str, growth: int = 0) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        process = self._kernel.current
        if not process.is_alone:
            await trio.lowlevel.cancel_shielded_checkpoint()
        await self._require_alive(process)
        if self._kernel.tape is not None:
            self._kernel.note_choice("disk", operation, path, growth)
        self._check(operation)
        if self.capacity is not None and growth and self.used + growth > self.capacity:
            _fail(errno.ENOSPC)

    def _check(self, operation: Operation) -> None:
        if (error := self.failing.get(operation)) is not None:
            _fail(error)

    async def _wait(self) -> None:
        """The time it takes the device; like a system call, it cannot be cancelled."""
        process, task = self._kernel.current, trio.lowlevel.current_task()
        self._kernel.call_at(self._kernel.now_ns + self._draw_ns(), process.reschedule, task)
        await park(_UNCANCELLABLE)
        await self._require_alive(process)

    async def _require_alive(self, process: Process) -> None:
        """A process that was killed, or whose world has ended, is being unwound: nothing of it may show."""
        if self._machine.world.closing or not process.alive:
            await trio.lowlevel.checkpoint_if_cancelled()
            _fail(errno.EIO)

    def _draw_ns(self) -> int:
        return self.sync_latency.sampler(self._rng)()

    def _require(self, path: str) -> File:
        file = self.files.get(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return file


def _fail(error: int) -> None:
    raise OSError(error, os.strerror(error))
