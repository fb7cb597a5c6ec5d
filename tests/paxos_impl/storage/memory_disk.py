"""A disk in memory that tells what is durable from what is only written, and fails when told to."""

from __future__ import annotations

import errno
import os

import trio


class PowerLost(Exception):
    """The process that was working on the disk is no more."""


class MemoryDisk:
    """The `Disk` of an instance under test; keep it over a restart."""

    def __init__(self, durable: dict[str, bytes] | None = None) -> None:
        self.durable: dict[str, bytes] = dict(durable or {})
        self.written: dict[str, bytes] = dict(self.durable)
        self.failing: int | None = None
        """The errno of what goes wrong from now on."""
        self.syncs = 0
        self.dies_before: int | None = None
        """The number of the operation, from 0, before which power goes."""
        self.operations = 0
        self.gate: trio.Event | None = None
        """While there is one, a sync does not return before it is set."""

    def lose_power(self) -> None:
        """Only what was synced is left."""
        self.written = dict(self.durable)
        self.dies_before = None

    async def read(self, path: str) -> bytes:
        await trio.lowlevel.checkpoint()
        self._may_fail(reading=True)
        if path not in self.written:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self.written[path]

    async def append(self, path: str, data: bytes) -> None:
        self._may_fail()
        self.written[path] = self.written.get(path, b"") + data
        await trio.lowlevel.checkpoint()

    async def sync(self, path: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        self._may_fail()
        self.durable[path] = self.written[path]
        self.syncs += 1

    async def replace(self, path: str, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._may_fail()
        self.written[path] = self.durable[path] = data

    async def truncate(self, path: str, size: int) -> None:
        await self.replace(path, self.written[path][:size])

    async def remove(self, path: str) -> None:
        await trio.lowlevel.checkpoint()
        self._may_fail()
        del self.written[path]
        self.durable.pop(path, None)

    async def list(self) -> list[str]:
        await trio.lowlevel.checkpoint()
        self._may_fail(reading=True)
        return sorted(self.written)

    def _may_fail(self, *, reading: bool = False) -> None:
        if self.dies_before == self.operations:
            raise PowerLost
        self.operations += 1
        if self.failing is not None and not reading:
            raise OSError(self.failing, os.strerror(self.failing))
