"""A system of a few lines: each host serves a register of its own, and asks the first host for news."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.generator import (
    Generator,
    OpRequest,
    numbered,
    repeat,
    sequence,
    stagger,
    time_limit,
)
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.hosts.system import Service, SystemPackage, system_workload
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.lines import reads_and_writes
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client

PORT = 4000
WRITES_S = 1.0
"""How long clients of some toys write before they only read, in seconds."""


class Toy:
    """Clients use the register of the first host alone."""

    name = "toy"
    runtime = "trio"
    packages = (SystemPackage(sys.executable, "python3", ("--version",)),)
    libraries: tuple[str, ...] = ()
    lost = (trio.BrokenResourceError,)
    arguments: tuple[str, ...] = ()

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """A process that serves, and asks the first."""
        command = (sys.executable, "-u", str(Path(__file__)), hosts[0].address, *self.arguments)
        return (Service("register", command, {"motd": f"this is {host.name}"}),)

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """It accepts connections."""
        await (await trio.open_tcp_stream(host.name, PORT)).aclose()

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client of the first host."""
        async with await trio.open_tcp_stream(hosts[0].name, PORT) as stream:
            yield _ToyClient(stream)

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """The first is the primary."""
        return {"primary"} if host == hosts[0] else set()

    time_resolution_s = 0.001

    async def now(self, host: Host, hosts: Sequence[Host]) -> float:
        """What its program reads."""
        async with await trio.open_tcp_stream(host.name, PORT) as stream:
            await stream.send_all(b"time\n")
            return float((await stream.receive_some(100)).decode())


class _ToyClient:
    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def apply(self, op: Op) -> Op:
        """A line there, a line back."""
        asked = "read" if op.f == "read" else f"write {op.value}"
        await self._stream.send_all(f"{asked}\n".encode())
        answer = (await self._stream.receive_some(100)).decode().strip()
        if not answer:
            raise EOFError
        return op.ok(int(answer) if answer != "none" else None)


class NeverUp(Toy):
    """A program that says why it cannot start."""

    name = "never-up"
    arguments = ("--fail",)


class Careless(Toy):
    """A program that answers a write when it is in the page cache."""

    name = "careless"


class Durable(Toy):
    """A program that answers a write when it is on the disk."""

    name = "durable"
    arguments = ("--durable",)


class Hungry(Toy):
    """A program that needs more and more memory, up to a limit of its own."""

    name = "hungry"
    arguments = ("--hungry",)


class NotInstalled(Toy):
    """A system whose program is not there."""

    name = "not-installed"
    packages = (SystemPackage("no-such-program", "no-such-package"),)
    libraries = ("no_such_library",)


def _check(plan: Plan, history: History, trace: Trace) -> Verdict:
    return linearizable(history, "register")


def _generator(plan: Plan, rng: Any) -> Generator:
    return reads_and_writes(plan, rng)


def _written_early(plan: Plan, rng: Any) -> Generator:
    """Writes for a while, and then only reads."""
    writes = time_limit(WRITES_S, numbered(lambda number: OpRequest("write", number)))
    return stagger(1 / plan.rate, sequence(writes, repeat(OpRequest("read"))), rng=rng)


def _workload(system: Any, generator: Any = _generator) -> Any:
    return system_workload(
        system,
        about="Whether the harness does what it says to programs that are not its own.",
        generator=generator,
        check=_check,
        roles=("primary",),
        defaults={"nodes": 3, "concurrency": 2, "rate": 50.0, "time_limit_s": 2.0},
    )


TOY, DURABLE, HUNGRY, NEVER_UP, NOT_INSTALLED = map(
    _workload, (Toy(), Durable(), Hungry(), NeverUp(), NotInstalled())
)
CARELESS_EARLY, DURABLE_EARLY = (_workload(system, _written_early) for system in (Careless(), Durable()))


def _keep(kept: Path, value: bytes, *, is_durable: bool) -> None:
    """Replace a file; durably, if asked to."""
    aside = kept.with_suffix(".new")
    with aside.open("wb", buffering=0) as file:
        file.write(value)
        if is_durable:
            os.fsync(file.fileno())
    aside.replace(kept)
    if is_durable:
        folder = os.open(kept.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


async def _eat() -> None:
    eaten = []
    for _ in range(100):
        eaten.append(os.urandom(1 << 19))
        await trio.sleep(0.05)


async def _serve(first: str, is_durable: bool, is_hungry: bool) -> None:
    """What runs on a host. The register survives the process, and a power failure if it is durable."""
    kept = Path("data/register")

    async def answer(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for line in stream:
                if line.startswith(b"write"):
                    _keep(kept, bytes(line.split()[1]), is_durable=is_durable)
                if line.startswith(b"time"):
                    await stream.send_all(f"{time.time()}\n".encode())
                    continue
                await stream.send_all(((kept.exists() and kept.read_bytes()) or b"none") + b"\n")

    async def gossip() -> None:
        while True:
            with trio.move_on_after(0.1):
                with suppress(OSError, trio.BrokenResourceError):
                    async with await trio.open_tcp_stream(first, PORT) as stream:
                        await stream.send_all(b"read\n")
                        await stream.receive_some(100)
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(gossip)
        if is_hungry:
            nursery.start_soon(_eat)
        await trio.serve_tcp(answer, PORT)


if __name__ == "__main__":
    if "--fail" in sys.argv:
        sys.exit("the moon is in the wrong phase")
    trio.run(_serve, sys.argv[1], "--durable" in sys.argv, "--hungry" in sys.argv)
