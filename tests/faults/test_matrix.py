"""Each kind of fault acts on every way in which programs use files and the network, or says why it cannot."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import pytest
import trio

from ostrakon.harness.faults import ActiveFault, Cluster, FaultKind, all_faults, apply_fault, grudge
from ostrakon.harness.plan import Fault
from ostrakon.harness.sim import World
from ostrakon.harness.substrates.runtime import Runtime

NODES = ("n1", "n2")
PORT = 4000
LINE = b"a line that is long enough to be cut short\n"
KINDS = [kind for kind in all_faults().values() if "sim" in kind.substrates and not kind.variant_of]
OF_NODES = [kind for kind in KINDS if kind.applies_to == "nodes" and "sim" in kind.substrates]
OF_LINKS = [kind for kind in KINDS if kind.applies_to != "nodes"]

Program = Callable[[World, str], Awaitable[None]]


async def by_port(world: World, name: str) -> None:
    """A journal behind the storage port."""
    disk = world.machines[name].disk
    while True:
        await disk.append("journal", LINE)
        await disk.read("journal")  # What is not durable yet can be missing from a stale read.
        await disk.sync("journal")
        await use_time()


async def by_ordinary_code(world: World, name: str) -> None:
    """A journal by `open` and `os.fsync`, called in the event loop."""
    while True:
        write_and_read()
        await use_time()


async def by_threads(world: World, name: str) -> None:
    """The same, in a worker thread."""
    while True:
        await trio.to_thread.run_sync(write_and_read)
        await use_time()


def write_and_read() -> None:
    with open("/journal", "ab") as file:
        file.write(LINE)
        file.flush()
        fd = os.open("/journal", os.O_RDONLY)
        os.read(fd, 10_000)
        os.close(fd)
        os.fsync(file.fileno())


async def use_time() -> None:
    assert time.time() > 0
    await trio.sleep(0.02)


async def by_tcp(world: World, name: str) -> None:
    """Lines over a stream, with a new connection when the old one breaks."""

    async def swallow(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for _ in stream:
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_tcp, swallow, PORT)
        while True:
            try:
                async with await trio.open_tcp_stream(other(name), PORT) as stream:
                    while True:
                        await stream.send_all(LINE)
                        await trio.sleep(0.02)
            except (OSError, trio.BrokenResourceError):
                await trio.sleep(0.05)


async def by_udp(world: World, name: str) -> None:
    """Lines as datagrams."""
    sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await sock.bind(("0.0.0.0", PORT))
    while True:
        await sock.sendto(LINE, (other(name), PORT))
        await trio.sleep(0.02)


async def by_unix(world: World, name: str) -> None:
    """Lines to another task of the same machine."""
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind("/socket")
    listener.listen()

    async def serve() -> None:
        conn, _ = await listener.accept()
        while await conn.recv(100):
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with await trio.open_unix_socket("/socket") as stream:
            while True:
                await stream.send_all(LINE)
                await trio.sleep(0.02)


async def by_asyncio(world: World, name: str) -> None:
    """The journal in asyncio's event loop."""
    while True:
        write_and_read()
        assert time.time() > 0
        await asyncio.sleep(0.02)


async def by_asyncio_threads(world: World, name: str) -> None:
    """The journal in a thread of asyncio."""
    while True:
        await asyncio.to_thread(write_and_read)
        assert time.time() > 0
        await asyncio.sleep(0.02)


async def by_asyncio_tcp(world: World, name: str) -> None:
    """Lines over a stream of asyncio, with a new connection when the old one breaks."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(100):
                pass
        writer.close()

    async with await asyncio.start_server(swallow, port=PORT):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(other(name), PORT)
                while True:
                    writer.write(LINE)
                    await writer.drain()
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.05)


async def by_asyncio_udp(world: World, name: str) -> None:
    """Lines as datagrams of asyncio."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("0.0.0.0", PORT))
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(other(name), PORT)
    )
    while True:
        transport.sendto(LINE)
        await asyncio.sleep(0.02)


def other(name: str) -> str:
    return NODES[1 - NODES.index(name)]


def applied(kind: FaultKind, program: Program) -> ActiveFault:
    """What a fault of this kind does in two seconds to two nodes that run this program."""
    fields: dict[str, object] = {"probability": 1.0, "ms": 40.0, "rate": 3.0}
    fault = Fault(kind.name, 0, 2000, **fields)  # type: ignore[arg-type]
    fault = kind.aim(fault, ["n1"], NODES)
    if kind.name == "partition":
        assert fault.grudge == grudge.isolate(NODES, ["n1"])
    with World(7) as world:
        for name in NODES:
            world.machine(name)
        for name in NODES:
            runtime: Runtime = "asyncio" if "asyncio" in program.__name__ else "trio"
            world.machines[name].start(partial(program, world, name), runtime=runtime)
        world.run(until_s=1.0)
        with apply_fault(fault, Cluster.of(world.network, world.machines)) as active:
            world.run(until_s=3.0)
            if not world.machines["n1"].is_running and kind.downtime == "none":
                raise AssertionError(world.crashes[0].traceback)
    return active


@pytest.mark.parametrize("program", [by_port, by_ordinary_code, by_threads, by_asyncio, by_asyncio_threads])
@pytest.mark.parametrize("kind", OF_NODES, ids=lambda kind: kind.name)
def test_a_fault_of_nodes_acts_however_files_are_used(kind: FaultKind, program: Program) -> None:
    active = applied(kind, program)

    if kind.name == "short_reads" and program is by_port:
        assert "did nothing that a short read could strike" in active.why_inert(), (
            "the port gives whole files"
        )
    else:
        assert not active.effect().is_inert, active.why_inert()


@pytest.mark.parametrize("program", [by_tcp, by_udp, by_unix, by_asyncio_tcp, by_asyncio_udp])
@pytest.mark.parametrize("kind", OF_LINKS, ids=lambda kind: kind.name)
def test_a_fault_of_links_acts_on_every_kind_of_socket_that_leaves_the_machine(
    kind: FaultKind, program: Program
) -> None:
    active = applied(kind, program)

    if program is by_unix:
        # What stays in a machine crosses no link.
        assert active.effect().is_inert
        assert "no message" in active.why_inert() or "no connection was open" in active.why_inert()
    elif kind.name == "reset" and program in (by_udp, by_asyncio_udp):
        assert active.why_inert() == "no connection was open on that link"
    else:
        assert not active.effect().is_inert, active.why_inert()


def test_the_matrix_has_every_kind() -> None:
    assert len(OF_NODES) + len(OF_LINKS) == len(KINDS) >= 30
