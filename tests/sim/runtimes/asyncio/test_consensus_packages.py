"""paxodin's asyncio side, as it comes from the index: three nodes with journals, over datagrams."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import pytest

from ostrakon.harness.sim import World

aio = pytest.importorskip("paxodin.aio")
storage = pytest.importorskip("paxodin.storage")
errors = pytest.importorskip("paxodin.errors")

NAMES = ("n1", "n2", "n3")
PORT, CLIENTS = 4000, 4001


class Datagrams(asyncio.DatagramProtocol):
    """How paxodin's frames travel: each alone."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._frames.put_nowait((int(address[0].rpartition(".")[2]), data))

    async def send(self, *, peer: int, frame: bytes) -> None:
        self._transport.sendto(frame, (f"10.0.0.{peer}", PORT))

    async def receive(self) -> tuple[int, bytes]:
        return await self._frames.get()

    async def close(self) -> None:
        self._transport.close()


async def node(number: int, released: dict[int, dict[int, bytes]]) -> None:
    """Appends what a line says, and answers with the slot, or with why not."""
    _, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
        Datagrams, local_addr=("0.0.0.0", PORT)
    )
    session = aio.AsyncSession(
        node_id=number,
        members=[1, 2, 3],
        configuration_id=1,
        journal=storage.FileJournal("/journal"),
        history=storage.FileHistory("/history"),
        transport=datagrams,
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                receipt = await session.append(line.strip(), timeout=1.0)
                writer.write(b"%d\n" % receipt.slot)
            except errors.PaxodinError as error:
                writer.write(type(error).__name__.encode() + b"\n")
        writer.close()

    async with session, await asyncio.start_server(serve, "0.0.0.0", CLIENTS):
        while True:
            for committed in session.entries():
                entry = committed.entry
                before = released.setdefault(number, {}).setdefault(committed.slot, bytes(entry.body))
                assert before == bytes(entry.body), f"n{number} released two values at {committed.slot}"
            await asyncio.sleep(0.1)


async def client(acknowledged: dict[int, bytes]) -> None:
    """Appends numbers, one after the other, at whichever node takes them."""
    number = 0
    for turn in range(150):
        value = b"value %d" % number
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(NAMES[turn % 3], CLIENTS)
                try:
                    writer.write(value + b"\n")
                    answer = (await reader.readline()).strip()
                finally:
                    writer.close()
            if answer.isdigit():
                slot = int(answer)
                assert acknowledged.setdefault(slot, value) == value, f"slot {slot} was given out twice"
            number += 1
        except OSError:
            number += 1
        await asyncio.sleep(0.1)


def faults(world: World, rng: random.Random) -> None:
    """Cuts one node off, kills or unplugs one, or stops one; each for a while, one after the other."""
    at_s = 1.0
    for _ in range(4):
        victim = world.machines[rng.choice(NAMES)]
        others = [name for name in NAMES if name != victim.name]

        def cut(victim: Any = victim, others: list[str] = others) -> None:
            made = world.network.cut({victim.name: others, **{name: [victim.name] for name in others}})
            world.call_later(2.5, world.network.mend, made)

        match rng.choice(["cut", "kill", "power", "pause"]):
            case "cut":
                world.call_later(at_s, cut)
            case "kill":
                world.call_later(at_s, victim.kill)
                world.call_later(at_s + 2, victim.restart)
            case "power":
                world.call_later(at_s, victim.power_off)
                world.call_later(at_s + 2, victim.restart)
            case _:
                world.call_later(at_s, victim.pause)
                world.call_later(at_s + 2.5, victim.resume)
        at_s += 3.5


def run(seed: int) -> tuple[dict[int, dict[int, bytes]], dict[int, bytes], str]:
    released: dict[int, dict[int, bytes]] = {}
    acknowledged: dict[int, bytes] = {}
    with World(seed) as world:
        for number, name in enumerate(NAMES, start=1):
            world.machine(name).start(partial(node, number, released), runtime="asyncio")
        process = world.machine("client", is_node=False).start(
            lambda: client(acknowledged), runtime="asyncio"
        )
        faults(world, world.rng("faults"))
        world.run(until_s=120, stop=lambda: process.done)
        world.run(until_s=world.now_s + 10)
        for crash in world.crashes:
            raise crash.error
        return released, acknowledged, world.digest


@pytest.mark.parametrize("seed", range(5))
def test_paxodin_releases_the_same_everywhere_and_keeps_what_it_acknowledged(seed: int) -> None:
    released, acknowledged, _ = run(seed)

    assert len(acknowledged) > 10
    slots = {slot for log in released.values() for slot in log}
    for slot in slots:
        assert len({log[slot] for log in released.values() if slot in log}) == 1, f"slot {slot}"
    for slot, value in acknowledged.items():
        assert {log.get(slot) for log in released.values()} == {value}, f"slot {slot}"


def test_paxodin_runs_the_same_twice() -> None:
    assert run(3)[2] == run(3)[2]
