"""A machine's disk: files with a page cache over what is durable, and crashes that tell the two apart.

Writes go to the page cache and survive the death of the process. `sync` makes a file durable, and with it the
names of all files. When the power fails, each file keeps what was durable and a random prefix of what was
written to it since, in order, the last surviving write perhaps torn. `replace` is atomic, and durable when it
returns; so are `truncate` and `remove`.

The asynchronous methods are a port for programs that keep their storage behind one. Ordinary file code runs
on the same disk; see `filesystem.py`.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from ostrakon.harness.sim.disk.disk_fault import Decay, DiskFault, FaultyDisk, decay
from ostrakon.harness.sim.disk.inode import Inode, Resize, Write
from ostrakon.harness.sim.disk.names import Names
from ostrakon.harness.sim.kernel.kernel import NEVER_NS
from ostrakon.harness.substrates.errors import injected_error
from ostrakon.harness.substrates.latency import Exponential, Latency

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.host import Host, Owner
    from ostrakon.harness.sim.disk.inode import Inode
    from ostrakon.harness.sim.disk.open_file import Description


Operation = Literal["read", "write", "sync"]


class Sync(NamedTuple):
    """A sync that has begun: the files, and the number of changes of each file and of the names that it makes
    durable."""

    files: tuple[tuple[Inode, int], ...]
    entries: int


class SimDisk:
    """The disk of one machine: what programs call, and the faults that the nemesis applies."""

    def __init__(self, machine: Host) -> None:
        self.sync_latency: Latency = Exponential(mean_ms=1.0, floor_ms=0.2)
        """How long a sync takes, in nanoseconds; a fault may change it."""
        self.capacity: int | None = None
        """Bytes that fit; writing more fails with ENOSPC."""
        self.failing: dict[Operation, int] = {}
        """The operations that fail, each with its errno."""
        self.syncs = 0
        """The number of syncs."""
        self.waits = 0
        """The number of times that a program waited for the device."""
        self.busy_until_ns = 0
        """When the last operation that has begun so far will be done."""
        self.refusals = 0
        """The number of operations that failed because of a fault."""
        self.on_operation: Callable[[Operation, str], object] | None = None
        """Called with each operation and its path before it happens; the call may kill the process or cut the
        power."""
        self.decayed = 0
        """The number of stored files that were damaged."""
        self.disturbed = 0
        """The number of faults that damaged data."""
        self.lost_writes = 0
        """The number of files that lost data at power failures."""
        self.locks = FileLocks()
        """The locks on files, with their holders."""
        self._machine = machine
        self._kernel = machine.world.kernel

    # What programs call.

    async def read(self, path: str) -> bytes:
        """The content of a file. Raises: FileNotFoundError, OSError."""
        await self._begin("read", path)
        return self.content(path)

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file; create it if it does not exist. Raises: OSError."""
        await self._begin("write", path, len(data))
        inode = self.inode(path, create=True)
        self.write_to(inode, len(inode.cached), data)

    async def write(self, path: str, offset: int, data: bytes) -> None:
        """Write at an offset of a file; create it if it does not exist. Raises: OSError."""
        await self._begin("write", path, len(data))
        self.write_to(self.inode(path, create=True), offset, data)

    async def truncate(self, path: str, size: int) -> None:
        """Cut a file, or extend it with zeros, durably. Raises: FileNotFoundError, OSError."""
        await self._begin("write", path)
        inode = self.inode(path)
        inode.change(Resize(size))
        begun = self.begin_sync(inode)
        await self.wait()
        self.end_sync(begun)

    async def sync(self, path: str) -> None:
        """Make a file and its name durable. Raises: FileNotFoundError, OSError."""
        await self._begin("sync", path)
        begun = self.begin_sync(self.inode(path))
        await self.wait()
        self.end_sync(begun)

    async def replace(self, path: str, data: bytes) -> None:
        """Replace the content of a file, atomically and durably. Raises: OSError."""
        await self._begin("write", path, len(data))
        await self.wait()
        self.check("sync")
        inode = self.names.new()
        inode.cached[:] = inode.durable[:] = data
        self.names.link(path, inode)
        self.names.commit()
        self.syncs += 1

    async def remove(self, path: str) -> None:
        """Remove a file, durably. Raises: FileNotFoundError, OSError."""
        await self._begin("write", path)
        self.inode(path)
        self.names.unlink(path)
        self.names.commit()

    async def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        await self._begin("read", path)
        return path in self.names.files

    async def list(self, directory: str = "") -> list[str]:
        """The paths of the files below a directory, sorted."""
        await self._begin("read", directory)
        prefix = directory.rstrip("/") + "/" if directory else ""
        return sorted(path for path in self.names.files if path.startswith(prefix))

    # What happens to it.

    def power_off(self) -> None:
        """Lose what was not synced, or some of it."""
        before = self.files
        self.names.power_off(self._rng)
        for _, inode in sorted(self._each_file().items()):
            inode.lose_power(self._rng)
        after = self.files
        self.lost_writes += sum(after.get(path) != content for path, content in before.items())

    def fail(self, operation: Operation, error: int = errno.EIO) -> None:
        """Let an operation fail from now on, with EIO or another errno."""
        self.failing[operation] = error

    def disturb(self, fault: DiskFault) -> DiskFault:
        """Begin a fault; `settle` ends it."""
        self.faulty.faults.append(fault)
        self.disturbed += 1
        return fault

    def settle(self, fault: DiskFault) -> None:
        """End one fault; a second call has no effect."""
        if fault in self.faulty.faults:
            self.faulty.faults.remove(fault)

    def decay(self, kind: Decay) -> int:
        """Damage a file where it lies, for good. Returns how many are damaged: none, if all are empty."""
        rng = self._machine.world.rng("decay", self._machine.name, self.decayed)
        damaged = decay(kind, [inode for _, inode in sorted(self.names.files.items())], rng)
        self.decayed += damaged
        return damaged

    @property
    def may_be_damaged(self) -> bool:
        """Whether a fault may have changed data that a program wrote."""
        return self.decayed + self.disturbed > 0

    def mend(self) -> None:
        """Let every operation succeed again, and everything fit; what is damaged stays damaged."""
        self.failing.clear()
        self.faulty.faults.clear()
        self.capacity = None

    @cached_property
    def faulty(self) -> FaultyDisk:
        """The active faults, and the number of operations that each kind has affected."""
        return FaultyDisk(self._machine.name, self._machine.world.rng("disk faults", self._machine.name))

    @property
    def files(self) -> dict[str, bytes]:
        """What programs see, by path."""
        return {path: bytes(inode.cached) for path, inode in self.names.files.items()}

    @property
    def used(self) -> int:
        """Bytes in all files."""
        return sum(len(inode.cached) for inode in self._each_file().values())

    # What both ports are made of.

    def inode(self, path: str, *, create: bool = False) -> Inode:
        """The file of this name. Raises: FileNotFoundError, unless it is to be created."""
        inode = self.names.inodes.get(path)
        if inode is None:
            if not create:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            inode = self.names.new()
            self.names.link(path, inode)
        return inode

    def content(self, path: str) -> bytes:
        """The content that a program reads."""
        return bytes(self._shown(self.inode(path)))

    def read_from(self, inode: Inode, offset: int, count: int) -> bytes:
        """The bytes that one read returns; fewer at the end of the file, or if a fault shortens the read."""
        data = bytes(self._shown(inode)[offset : offset + count])
        return self.faulty.shorten(data) if self._has_faults else data

    def write_to(self, inode: Inode, offset: int, data: bytes) -> None:
        """Write into the page cache."""
        write = Write(offset, bytes(data))
        is_lost = False
        if self._has_faults:
            write = self.faulty.spoil(write, len(inode.cached))
            is_lost = self.faulty.strikes("lost write")
        inode.change(write, reaches_device=not is_lost)

    def begin_sync(self, *inodes: Inode) -> Sync:
        """Files are to be made durable, with all names: what is written from now on need not be."""
        return Sync(tuple((inode, inode.changes) for inode in inodes), self.names.entries)

    def end_sync(self, begun: Sync) -> None:
        """What was there when the sync began is durable now. Raises: OSError."""
        try:
            self.check("sync")
        except OSError:
            for inode, changes in begun.files:
                inode.fail_to_sync(self._rng, changes)
            raise
        if not (self._has_faults and self.faulty.strikes("lying sync")):
            for inode, changes in begun.files:
                inode.sync(changes)
            self.names.commit(begun.entries)
        self.syncs += 1

    def sync_for(self, process: Owner, path: str, *inodes: Inode) -> None:
        """`sync` for ordinary code, which blocks until it is done. Raises: OSError."""
        self.begin(process, "sync", path)
        begun = self.begin_sync(*inodes)
        process.block(self._kernel.now_ns + self.delay_ns())
        self.end_sync(begun)

    def begin(self, process: Owner, operation: Operation, path: str, growth: int = 0) -> None:
        """Ordinary code of a process is about to do something; `growth` is how many bytes it would add.

        Raises: OSError, if that fails these days, does not fit, or the process is gone.
        """
        process.require_alive()
        if self._kernel.choice_log is not None:
            self._kernel.note_choice("disk", operation, path, growth)
        if self.on_operation is not None:
            self.on_operation(operation, path)
            if not process.alive:
                process.block(NEVER_NS)
        if operation != "sync":  # That fails when it is tried, after its time.
            self.check(operation, growth)

    def check(self, operation: Operation, growth: int = 0) -> None:
        """Raises: OSError, if the operation fails these days or so many more bytes do not fit."""
        error = self.failing.get(operation)
        if error is None and self.capacity is not None and growth and self.used + growth > self.capacity:
            error = errno.ENOSPC
        if error is not None:
            self.refusals += 1
            raise injected_error(error)

    async def wait(self) -> None:
        """Wait for the device. The wait cannot be cancelled, as a system call cannot."""
        process: Owner = self._kernel.current
        await process.wait_ns(self.delay_ns())
        await self._require_alive(process)

    def delay_ns(self) -> int:
        """Draw how long the device takes for an operation, and count the wait."""
        self.waits += 1
        delay_ns = self.sync_latency.sampler(self._rng)()
        self.busy_until_ns = max(self.busy_until_ns, self._kernel.now_ns + delay_ns)
        return delay_ns

    # Below.

    @cached_property
    def names(self) -> Names:
        """The names of all files. Made when they are first needed, for most machines have none."""
        return Names()

    def _each_file(self) -> dict[str, Inode]:
        """Yields each regular file once, by the first of its names."""
        first = {inode: path for path, inode in sorted(self.names.files.items(), reverse=True)}
        return {path: inode for inode, path in first.items()}

    def _shown(self, inode: Inode) -> bytes | bytearray:
        is_stale = bool(self._has_faults and inode.unsynced and self.faulty.strikes("stale read"))
        return inode.durable if is_stale else inode.cached

    @property
    def _has_faults(self) -> bool:
        return "faulty" in self.__dict__ and bool(self.faulty.faults)

    @cached_property
    def _rng(self) -> random.Random:
        return self._machine.world.rng("disk", self._machine.name)

    async def _begin(self, operation: Operation, path: str, growth: int = 0) -> None:
        process: Owner = self._kernel.current
        await process.checkpoint()
        await self._require_alive(process)
        if self._kernel.choice_log is not None:
            self._kernel.note_choice("disk", operation, path, growth)
        if self.on_operation is not None:
            self.on_operation(operation, path)
            if not process.alive:
                await process.wait_cancelled()
        if operation != "sync":  # That fails when it is tried, after its time.
            self.check(operation, growth)

    async def _require_alive(self, process: Owner) -> None:
        """A process that was killed, or whose world has ended, is being unwound: nothing of it may show."""
        if self._machine.world.closing or not process.alive:
            await process.checkpoint_if_cancelled()
            raise OSError(errno.EIO, "this process is gone")


class FileLocks:
    """The locks on the files of one disk."""

    def __init__(self) -> None:
        self._held: dict[Description, tuple[Inode, bool]] = {}
        """The file that each open file has locked, and whether the lock is exclusive."""

    def acquire(self, what: Inode, file: Description, *, is_exclusive: bool) -> bool:
        """Take the lock of a file or directory, or another kind of it; False if others hold it."""
        # Whoever was killed holds nothing any more, though its files were never closed.
        self._held = {holder: held for holder, held in self._held.items() if holder.process.alive}
        others = [
            exclusive
            for holder, (held, exclusive) in self._held.items()
            if held is what and holder is not file
        ]
        if any(others) or (is_exclusive and others):
            return False
        self._held[file] = (what, is_exclusive)
        return True

    def release(self, file: Description) -> None:
        """Release the lock of an open file, if it has one."""
        self._held.pop(file, None)
