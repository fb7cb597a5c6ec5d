"""A volume as the harness uses it: mounted at a folder, with the faults of disks that the nemesis applies.

    volume = mount(folder, seed=7)
    volume.failing["sync"] = errno.EIO   # until it is taken out again
    volume.lose_power()                  # after the processes that use it were killed
    volume.unmount()

It offers what `ostrakon.harness.faults.devices.Disk` asks of a disk.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import UserDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ostrakon.harness.substrates.latency import Constant, Exponential

VOLUME_FAULTS = frozenset(
    (
        *("power_loss", "slow_disk", "full_disk", "failing_disk", "failing_sync", "failing_read"),
        *("lying_disk", "lost_writes", "corrupt_writes", "misdirected_writes", "stale_reads"),
        *("bit_rot", "cut_files"),
    )
)
"""Faults for which the files of real processes must lie on mounted volumes; only requested by name."""
_UNMOUNT_S = 10.0


class NoFuse(Exception):
    """Nothing can be mounted here; the message says what is missing."""


def require_fuse() -> None:
    """Check that volumes can be mounted on this machine. Raises: NoFuse."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise NoFuse("faults of real disks need /dev/fuse, which is not there or may not be opened")
    if shutil.which("fusermount3") is None:
        raise NoFuse("faults of real disks need fusermount3: apt-get install fuse3")
    if importlib.util.find_spec("mfusepy") is None:
        raise NoFuse("faults of real disks need mfusepy: pip install 'ostrakon[fuse]'")


def mount(point: Path, *, seed: int | str, owner: tuple[int, int] | None = None) -> Mounted:
    """Mount a new, empty volume at a folder, which is made if need be.

    `owner` is the user and the group that all its files belong to, by number; None for those of this process.
    Raises: NoFuse.
    """
    require_fuse()
    point.mkdir(parents=True, exist_ok=True)
    numbers = [str(number) for number in owner or ()]
    process = subprocess.Popen(
        [sys.executable, "-m", "ostrakon.harness.volume.mount", str(point), str(seed), *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is the harness's; it unmounts when its input ends.
    )
    assert process.stdout is not None
    if not process.stdout.readline():
        _, told = process.communicate()
        last = (told.decode(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
        raise NoFuse(f"nothing can be mounted at {point}: {last}")
    return Mounted(process, point)


class _Failing(UserDict[str, int]):
    """The operations that fail, each with its errno; the volume follows every change."""

    def __init__(self, changed: Callable[[dict[str, int]], object]) -> None:
        super().__init__()
        self._changed = changed

    def __setitem__(self, operation: str, number: int) -> None:
        super().__setitem__(operation, number)
        self._changed(self.data)

    def __delitem__(self, operation: str) -> None:
        super().__delitem__(operation)
        self._changed(self.data)


class Mounted:
    """A mounted volume; its process ends with this one."""

    def __init__(self, process: subprocess.Popen[bytes], point: Path) -> None:
        self.point = point
        self.on_operation: Callable[[Any, str], object] | None = None
        """Never called: faults that wait for an operation are for simulation."""
        self.failing = _Failing(lambda failing: self._order({"do": "fail", "failing": failing}))
        self._process = process
        self._latency: Constant | Exponential = Constant(0.0)
        self._capacity: int | None = None
        self._decayed = 0

    @property
    def capacity(self) -> int | None:
        """Bytes that fit; None for no limit."""
        return self._capacity

    @capacity.setter
    def capacity(self, capacity: int | None) -> None:
        self._capacity = capacity
        self._order({"do": "limit", "capacity": capacity})

    @property
    def sync_latency(self) -> Constant | Exponential:
        """How long a sync takes, besides what it takes anyway: always the mean of this distribution."""
        return self._latency

    @sync_latency.setter
    def sync_latency(self, latency: Constant | Exponential) -> None:
        self._latency = latency
        ms = latency.ms if isinstance(latency, Constant) else latency.mean_ms
        self._order({"do": "slow", "ms": ms})

    @property
    def waits(self) -> int:
        """The number of syncs that a fault made slow."""
        return int(self._order({"do": "count"})["waits"])

    @property
    def refusals(self) -> int:
        """The number of operations that were made to fail."""
        return int(self._order({"do": "count"})["refusals"])

    @property
    def used(self) -> int:
        """The number of bytes in all files."""
        return int(self._order({"do": "count"})["used"])

    @property
    def faulty(self) -> Mounted:
        """Where `struck` is."""
        return self

    @property
    def struck(self) -> dict[str, int]:
        """How many operations each kind of fault that damages data has struck."""
        return dict(self._order({"do": "count"})["struck"])

    def disturb(self, fault: Any) -> Any:
        """Let a fault that damages data begin. Returns the fault, for `settle`."""
        self._order({"do": "disturb", "kind": fault.kind, "probability": fault.probability})
        return fault

    def settle(self, fault: Any) -> None:
        """Let such a fault end."""
        self._order({"do": "settle", "kind": fault.kind, "probability": fault.probability})

    def decay(self, kind: str) -> int:
        """Damage one file where it lies. Returns how many are damaged."""
        damaged = int(self._order({"do": "decay", "kind": kind}))
        self._decayed += damaged
        return damaged

    @property
    def is_damaged(self) -> bool:
        """Whether a fault has damaged data, so that a program may find them so."""
        return self._decayed > 0 or bool(self.struck)

    def commit(self) -> None:
        """Make all files and names durable, whatever faults are at work."""
        self._order({"do": "commit"})

    def lose_power(self) -> int:
        """Lose what was not synced, or some of it. Returns how many files lost something.

        Whatever has a file open must have been killed before, as by a real power failure.
        """
        return int(self._order({"do": "lose_power"}))

    def unmount(self) -> None:
        """Unmount, and end the volume's process; again is harmless."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_UNMOUNT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _order(self, order: dict[str, Any]) -> Any:
        """Give an order to the volume's process and wait for the answer. Raises: RuntimeError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = b""
        if not line:
            raise RuntimeError(f"the process of the volume at {self.point} is gone")
        told = msgspec.json.decode(line)
        if "error" in told:
            raise RuntimeError(f"the volume at {self.point} refused {order['do']}: {told['error']}")
        return told["answer"]
