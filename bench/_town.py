"""A cluster of real processes on this machine, for benches: a registry and replicas of the store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import trio

from ostrakon.paxos_impl.client.connection import NoAnswer
from ostrakon.paxos_impl.client.replica import status
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Status

ROOT = Path(__file__).parents[1]
STARTED_WITHIN_S = 30.0
WAIT_S = 60.0
"""How long a leader is waited for."""


class Town:
    """Use it with `with`; its data are below `root`, and so are its logs."""

    def __init__(self, root: Path, size: int, *, groups: int = 1) -> None:
        self._root, self._size, self.groups = root, size, groups
        self._registry = Address("127.0.0.1", free_port())
        self.addresses = [Address("127.0.0.1", free_port()) for _ in range(size)]
        self.metrics = [Address("127.0.0.1", free_port()) for _ in range(size)]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Town:
        self._start("registry", "registry", "--listen", str(self._registry))
        for number in range(self._size):
            self.start(number)
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not all("serving as server" in self._said(f"{n}") for n in range(self._size)):
            assert time.monotonic() < deadline, "\n".join(self._said(f"{n}") for n in range(self._size))
            time.sleep(0.02)
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def start(self, number: int) -> None:
        """Start a replica, for the first time or again."""
        where = ["--registry", str(self._registry), "--listen", str(self.addresses[number])]
        where += ["--metrics", str(self.metrics[number])]
        what = ["--cluster-size", f"{self._size}", "--groups", f"{self.groups}"]
        self._start(f"{number}", "kv", "serve", *where, *what)

    def kill(self, address: Address) -> None:
        """Kill -9 the replica that listens there."""
        process = self._running.pop(f"{self.addresses.index(address)}")
        process.kill()
        process.wait()

    def cpu_s(self, address: Address) -> float:
        """How much CPU time the replica that listens there has taken so far."""
        pid = self._running[f"{self.addresses.index(address)}"].pid
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _start(self, name: str, *command: str) -> None:
        with (self._root / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "ostrakon.paxos_impl.cli", *command, "--data", str(self._root / name)],
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def _said(self, name: str) -> str:
        return (self._root / f"{name}.log").read_text()


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def find_leader(town: Town) -> Address:
    """The leader, once there is one."""
    with trio.fail_after(WAIT_S):
        while True:
            for address in town.addresses:
                with suppress(NoAnswer):
                    seen = await status(address, timeout_s=WAIT_S)
                    if isinstance(seen, Status) and seen.phase == "leading":
                        return address
            await trio.sleep(0.05)
