"""The machine of a live node: a process of the operating system, which the nemesis controls by signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from ostrakon.harness.live.job import NodeJob, encode_job
from ostrakon.harness.volume.mounted import Mounted

_TOLD_MAX = 8_000
"""The number of characters of a process's last output that are reported when it crashes."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A process that ended by itself."""

    machine: str
    incarnation: int
    time_ns: int
    status: int
    told: str
    """The last lines of its output."""
    is_disk_damaged: bool = False
    """Whether a fault had damaged data on its disk."""
    inflicted: bool = False
    """Whether a fault of its disk made an operation fail before, so that the program may have given up."""


class LiveMachine:
    """The folder of one node, and its process while it has one."""

    def __init__(
        self, job: NodeJob, log: Path, on_start: Callable[[str], object], disk: Mounted | None = None
    ) -> None:
        """Make the machine of the job's node; the output of its process goes to `log`.

        `on_start` is called with the node's name at each start. `disk` is the volume on which the node's
        files are; None for the files of the system.
        """
        self.disk = disk
        self._refusals_seen = 0
        self._job, self._log, self._on_start = job, log, on_start
        self._process: subprocess.Popen[bytes] | None = None
        self._incarnation = -1
        self._is_paused = False
        self._is_ended = False
        """Whether the harness requested the end of the process."""
        self.exits: list[Exit] = []

    @property
    def is_running(self) -> bool:
        """Whether the process exists, even if it is stopped."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_paused(self) -> bool:
        """Whether the process exists and is stopped."""
        return self.is_running and self._is_paused

    def restart(self) -> None:
        """Start the program, as a new process."""
        self.look()
        self._on_start(self._job.name)
        self._incarnation += 1
        self._is_paused = self._is_ended = False
        Path(self._job.folder).mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ostrakon.harness.live.node"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: ctrl-C reaches only the harness, and signals reach the whole group.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(encode_job(replace(self._job, incarnation=self._incarnation)))
        self._process.stdin.flush()

    def pause(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)
        self._is_paused = True

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self._is_paused = False

    def stop(self) -> None:
        """SIGTERM."""
        self._is_ended = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait until the process has ended."""
        self.look()
        self._is_ended = True
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()

    def power_off(self) -> None:
        """Kill the process and lose what it has not synced; without a volume, all written data stays."""
        self.kill()
        if self.disk is not None:
            self.disk.lose_power()

    @property
    def must_revive(self) -> bool:
        """Whether the process ended by itself because of a fault of its disk."""
        return bool(self.exits) and self.exits[-1].inflicted and not self.is_running

    def look(self) -> None:
        """Check whether the process has ended by itself, and save how."""
        if self._process is None or self._is_ended or (status := self._process.poll()) is None:
            return
        self._is_ended = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        now_ns = time.monotonic_ns() - self._job.begin_ns
        said = self._log.read_bytes().decode(errors="replace")[-_TOLD_MAX:]
        is_damaged = self.disk is not None and self.disk.is_damaged
        self.exits.append(
            Exit(self._job.name, self._incarnation, now_ns, status, said, is_damaged, self._has_disk_failed())
        )
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # The processes that it started end with it.

    def _has_disk_failed(self) -> bool:
        """Whether a fault has made an operation of the disk fail since this was asked last."""
        if self.disk is None:
            return False
        refusals, before = self.disk.refusals, self._refusals_seen
        self._refusals_seen = refusals
        return refusals > before

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.is_running:
            os.killpg(self._process.pid, number)  # All processes that it started are in its group.
