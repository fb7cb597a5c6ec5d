"""Towns: services of the `paxos` command on this machine, as people run them, for tests."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from ostrakon.paxos_impl.cli import main
from tests.ports import LONG_S, free_ports

_Kv = TypeVar("_Kv", bound="KvTown")

PAXOS = [sys.executable, "-m", "ostrakon.paxos_impl.cli"]
ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    said: str


def paxos(*args: str) -> Ended:
    """Run a command to its end, in this process: starting one takes longer than all that it does."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(list(args))
    assert isinstance(ended.value.code, int)
    return Ended(ended.value.code, out.getvalue(), err.getvalue())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


class Town:
    """A registry and three instances on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        names = ("registry", "1", "2", "3")
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(4), strict=True)}
        self.registry = self.addresses["registry"]

    def start(self, name: str) -> None:
        listen = ["--listen", self.addresses[name], "--data", str(self.root / name)]
        kind = ["registry"] if name == "registry" else ["serve", "--registry", self.registry]
        with (self.root / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen([*PAXOS, *kind, *listen], stderr=log, env=environment())

    def wait(self, name: str, words: str, *, times: int = 1) -> None:
        """Wait until a process has said something so many times over all its lives."""
        deadline = time.monotonic() + LONG_S
        while self.said(name).count(words) < times:
            assert time.monotonic() < deadline, f"{name} never said {words!r}, but:\n{self.said(name)}"
            time.sleep(0.02)

    def said(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait(10)

    def stop(self) -> list[int]:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return [process.wait(10) for process in self.running.values()]


class KvTown(Town):
    """A registry and three replicas of a store on this machine."""

    options: tuple[str, ...] = ()
    """Those of the replicas."""

    def start(self, name: str) -> None:
        if name == "registry":
            super().start(name)
            return
        listen = ["--listen", self.addresses[name], "--data", str(self.root / name)]
        with (self.root / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*PAXOS, "kv", "serve", "--registry", self.registry, *listen, *self.options],
                stderr=log,
                env=environment(),
            )

    def kv(self, *args: str) -> tuple[int, str]:
        ended = paxos("kv", *args, "--registry", self.registry, "--timeout", f"{LONG_S}")
        return ended.status, ended.out.strip()


class GrowingTown(KvTown):
    """A town to which replicas can be added; the founders have the ids 0 to 2."""

    def join(self, name: str) -> None:
        """Start a replica that joins, or one that has joined."""
        address = self.addresses.setdefault(name, f"127.0.0.1:{free_ports(1)[0]}")
        known = ["--node", self.addresses["2"]]
        with (self.root / f"{name}.log").open("ab") as log:
            where = ["--listen", address, "--data", str(self.root / name)]
            self.running[name] = subprocess.Popen(
                [*PAXOS, "kv", "join", *known, *where, *self.options], stderr=log, env=environment()
            )

    def at(self, name: str, *args: str) -> tuple[int, str]:
        """Ask one replica, or by way of it."""
        ended = paxos("kv", *args, "--node", self.addresses[name], "--timeout", f"{LONG_S}")
        return ended.status, ended.out.strip()

    def roles(self) -> list[str]:
        """What the members are, in order of their ids."""
        status, lines = self.at("2", "members")
        assert status == 0
        return [f"{line.split()[0]} {line.split()[2]}" for line in lines.splitlines()]

    def wait_ended(self, name: str) -> int:
        return self.running.pop(name).wait(LONG_S)


@contextmanager
def living(town: _Kv) -> Iterator[_Kv]:
    """Start everybody, and wait until they serve; kill who is left in the end."""
    for name in town.addresses:
        town.start(name)
    try:
        for name in ("1", "2", "3"):
            town.wait(name, "serving as server")
        yield town
    finally:
        for name in list(town.running):
            town.kill(name)
