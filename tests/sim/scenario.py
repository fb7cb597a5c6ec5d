"""One eventful simulation, told in lines: run it anywhere, anyhow, and it must tell the same story.

    python -m tests.sim.scenario SEED...

Everything in it tempts a simulator to be nondeterministic: message faults, kills, power failures, pauses,
clocks that run apart, tasks that are ready together, deadlines that expire together, and a program that asks
for time and randomness in every way there is.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
import uuid

import trio

from ostrakon.harness.sim import Disturbance, Lines, Machine, World
from ostrakon.harness.substrates.message_faults import MessageFaultKind

PEERS = ("n1", "n2", "n3")
PORT = 4000


def story(seed: int) -> list[str]:
    """What happens, and the world's digest as the last line."""
    lines: list[str] = []
    with World(seed, framing=Lines()) as world:
        world.network.on_message = lambda m: lines.append(
            f"{m.number} {m.sender}>{m.receiver} {m.payload!r} {m.sent_ns} {m.received_ns}"
        )
        world.on_crash = lambda crash: lines.append(f"crash {crash.machine} {crash.error!r}")
        for name in PEERS:
            machine = world.machine(name)
            machine.start(lambda machine=machine: _node(machine, lines))  # type: ignore[misc]
        nemesis = world.machine("nemesis", is_node=False).start(lambda: _nemesis(world, lines))
        world.run(stop=lambda: nemesis.done)
        lines.append(world.digest)
    return lines


async def _node(machine: Machine, lines: list[str]) -> None:
    def tell(what: str) -> None:
        if not machine.world.closing:
            lines.append(f"{machine.world.now_ns} {machine.name} {what}")

    await _remember_start(machine, tell)
    async with trio.open_nursery() as nursery:

        async def answer(stream: trio.SocketStream) -> None:
            async for chunk in stream:
                await machine.disk.append("log", bytes(chunk))
                await stream.send_all(chunk)

        async def forgiving(stream: trio.SocketStream) -> None:
            try:
                await answer(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                tell(f"lost a client: {error.__cause__!r}")

        await nursery.start(trio.serve_tcp, forgiving, PORT)
        for peer in PEERS:
            if peer != machine.name:
                nursery.start_soon(_talk, peer, tell)
        for number in range(4):
            nursery.start_soon(_race, number, tell)


async def _remember_start(machine: Machine, tell: object) -> None:
    try:
        log = await machine.disk.read("log")
        tell(f"recovers {len(log)} bytes")  # type: ignore[operator]
    except FileNotFoundError:
        tell("starts afresh")  # type: ignore[operator]
    await machine.disk.append("log", b"start\n")
    await machine.disk.sync("log")


async def _talk(peer: str, tell: object) -> None:
    while True:
        try:
            with trio.fail_after(2):
                stream = await trio.open_tcp_stream(peer, PORT)
            async with stream:
                while True:
                    await stream.send_all(f"{random.random():.6f} {uuid.uuid4().hex[:6]}\n".encode())
                    with trio.fail_after(0.5):
                        await stream.receive_some()
                    await trio.sleep(random.choice([0.2, 0.4]))
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            tell(f"{type(error).__name__} from {peer} {time.time():.6f} {os.urandom(2).hex()}")  # type: ignore[operator]
            await trio.sleep(0.1 + secrets.randbelow(100) / 1000)


async def _race(number: int, tell: object) -> None:
    """Four tasks wake at the same instants, some by sleeping and some by timing out."""
    for _ in range(8):
        with trio.move_on_after(0.5):
            await (trio.sleep(0.5) if number % 2 else trio.sleep_forever())
        tell(f"racer {number} {time.monotonic():.3f}")  # type: ignore[operator]


async def _nemesis(world: World, lines: list[str]) -> None:
    rng = world.rng("nemesis")
    for _ in range(10):
        await trio.sleep(rng.uniform(0.2, 0.6))
        victim = world.machines[rng.choice(PEERS)]
        other = rng.choice([name for name in PEERS if name != victim.name])
        fault = rng.choice(["cut", "disturb", "kill", "power off", "pause", "clock"])
        lines.append(f"{world.now_ns} nemesis: {fault} {victim.name}")
        match fault:
            case "cut":
                cut = world.network.cut({victim.name: [other], other: [victim.name]})
                await trio.sleep(0.7)
                lines.append(f"cut stopped {world.network.mend(cut)}")
            case "disturb":
                kinds: list[MessageFaultKind] = ["drop", "duplicate", "reorder", "delay"]
                kind = rng.choice(kinds)
                disturbed = world.network.disturb(Disturbance(kind, 0.3, ms=30))
                await trio.sleep(0.5)
                lines.append(f"{kind} struck {world.network.settle(disturbed)}")
            case "kill":
                victim.restart()
            case "power off":
                victim.power_off()
                await trio.sleep(0.3)
                victim.restart()
            case "pause":
                victim.pause()
                await trio.sleep(0.8)
                victim.resume()
            case "clock":
                victim.clock.set_rate(rng.choice([0.5, 1.0, 1.5]))
                victim.clock.step(rng.uniform(-5, 5))


def main() -> None:
    """Tell the stories of the seeds on the command line."""
    for seed in map(int, sys.argv[1:]):
        print("\n".join(story(seed)))


if __name__ == "__main__":
    main()
