"""How fast the simulator is, beside a bare heap loop in the same run. Prints medians; needs nothing else.

    python -m bench.sim [--repeat 5] [--only tcp]

Figures are per second of this process's CPU time, so that other work on the machine disturbs them less. What
stands in for real functions is kept in place between worlds, as the workers of a campaign keep it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush

import trio
import trio.testing

from bench._rates import Measurement, Timed, print_rates
from ostrakon.harness.sim import Constant, LengthPrefixed, Machine, World, enclosed
from ostrakon.harness.substrates.runtime import Runtime

NODES = ("n1", "n2", "n3", "n4", "n5")


def bare_heap(events: int = 300_000) -> float:
    """Events per second of a heap with callbacks and nothing else."""
    heap: list[tuple[int, int, Callable[[], None]]] = []
    seq = 0

    def nothing() -> None:
        nonlocal seq
        seq += 1
        heappush(heap, (seq * 7919 % 1000 + seq, seq, nothing))

    for _ in range(50):
        nothing()
    for _ in range(events):
        heappop(heap)[2]()
    return events


def memory_ring(messages: int = 60_000) -> float:
    """Five processes hand 50 messages on through their mailboxes."""

    async def hand_on(machine: Machine, to: str) -> None:
        assert machine.process is not None
        mailbox = machine.process.mailbox
        if machine.name == "n1":
            for number in range(50):
                mailbox.send(to, number)
        while True:
            _, message = await mailbox.receive()
            mailbox.send(to, message)

    with World(1) as world:
        for name, to in zip(NODES, NODES[1:] + NODES[:1], strict=True):
            machine = world.machine(name)
            machine.start(partial(hand_on, machine, to))
        world.run(stop=lambda: world.network.messages >= messages)
    return messages


def tcp_ring(lines: int = 40_000, *, framed: bool = False, nodes: int = 5, latency: object = None) -> float:
    """Processes in a ring hand on what they receive, 50 lines in flight, each its own segment."""
    names = [f"n{number}" for number in range(1, nodes + 1)]

    async def node(name: str, to: str) -> None:
        async def hand_on(stream: trio.SocketStream) -> None:
            async for chunk in stream:
                await onward.send_all(chunk)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, hand_on, 4000)
            onward = await trio.open_tcp_stream(to, 4000)
            if name == "n1":
                for number in range(50):
                    await onward.send_all(b"\x00\x00\x00\x08" + b"%07d\n" % number)

    with World(1, latency=latency, framing=LengthPrefixed() if framed else None) as world:  # type: ignore[arg-type]
        for name, to in zip(names, names[1:] + names[:1], strict=True):
            world.machine(name).start(partial(node, name, to))
        world.run(stop=lambda: world.network.messages >= lines)
    return lines


def short_trials_in_memory(trials: int = 100) -> float:
    """Five processes that ask one another, 100 messages with the answers; then everything is torn down."""

    async def node(machine: Machine) -> None:
        assert machine.process is not None
        mailbox, me = machine.process.mailbox, machine.name
        for peer in NODES:
            if peer != me:
                for number in range(3 if me < peer else 2):
                    mailbox.send(peer, ("prepare", number))
        while True:
            sender, (kind, number) = await mailbox.receive()
            if kind == "prepare":
                mailbox.send(sender, ("promise", number))

    for seed in range(trials):
        with World(seed) as world:
            for name in NODES:
                machine = world.machine(name)
                machine.start(partial(node, machine))
            world.run(until_s=1.0)
            assert world.network.messages == 100, world.network.messages
    return trials


def short_trials(trials: int = 60) -> float:
    """The same over TCP, each process connected to all others."""

    async def node(me: str) -> None:
        async def answer(stream: trio.SocketStream) -> None:
            async for chunk in stream:
                await stream.send_all(chunk)

        async def ask(peer: str) -> None:
            stream = await trio.open_tcp_stream(peer, 4000)
            async with stream:
                for number in range(3 if me < peer else 2):
                    await stream.send_all(b"prepare %d\n" % number)
                    with trio.move_on_after(0.5):
                        await stream.receive_some()
                await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, answer, 4000)
            for peer in NODES:
                if peer != me:
                    nursery.start_soon(ask, peer)

    for seed in range(trials):
        with World(seed) as world:
            for name in NODES:
                world.machine(name).start(partial(node, name))
            world.run(until_s=1.0)
            assert world.network.messages == 100, world.network.messages
    return trials


async def nothing() -> None:
    """A program that ends at once."""


async def wait_for_ever() -> None:
    """A program for asyncio that waits."""
    await asyncio.Event().wait()


WAITING: dict[Runtime, Callable[[], object]] = {"trio": trio.sleep_forever, "asyncio": wait_for_ever}


def start_ups(worlds: int = 100, *, runtime: Runtime = "trio") -> float:
    """Five processes that begin and end."""
    for seed in range(worlds):
        with World(seed) as world:
            for name in NODES:
                world.machine(name).start(nothing, runtime=runtime)
            world.run()
    return worlds


def starts_alone(worlds: int = 100, *, runtime: Runtime = "trio") -> Timed:
    """Five processes that begin, up to where all of them wait; their ends are not in the time."""
    took_s = 0.0
    for seed in range(worlds):
        began = time.process_time()
        with World(seed) as world:
            for name in NODES:
                world.machine(name).start(WAITING[runtime], runtime=runtime)
            world.run(until_s=1.0)
            took_s += time.process_time() - began
    return Timed(worlds, took_s)


def runs_of_trio(groups: int = 100) -> float:
    """Five times `trio.run` of a program that ends at once, to hold starts and ends of processes against."""
    for _ in range(groups):
        for _ in NODES:
            trio.run(nothing)
    return groups


def plain_sleeps(seconds: int = 1000) -> float:
    """Twenty tasks in one `trio.run` on a clock that jumps, which sleep a second and time out, no more."""

    async def beat() -> None:
        for _ in range(seconds):
            with trio.fail_after(5):
                await trio.sleep(1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(beat)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return seconds


def idle_cluster(seconds: int = 1000) -> float:
    """Virtual seconds of five processes that send each other a heartbeat every second."""

    async def node(me: str) -> None:
        async def listen(stream: trio.SocketStream) -> None:
            while True:
                with trio.fail_after(5):
                    await stream.receive_some()

        async def beat(peer: str) -> None:
            stream = await trio.open_tcp_stream(peer, 4000)
            while True:
                await stream.send_all(b"\x00\x00\x00\x05alive")
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, listen, 4000)
            for peer in NODES:
                if peer != me:
                    nursery.start_soon(beat, peer)

    with World(1) as world:
        for name in NODES:
            world.machine(name).start(partial(node, name))
        world.run(until_s=seconds)
    return seconds


MEASUREMENTS: dict[str, Measurement] = {
    "heap": (bare_heap, "events of a bare heap loop", 0),
    "memory": (memory_ring, "messages through mailboxes", 100_000),
    "tcp": (tcp_ring, "TCP segments around a ring of 5", 30_000),
    "tcp-framed": (lambda: tcp_ring(framed=True), "the same, cut into messages", 30_000),
    "tcp-25": (lambda: tcp_ring(nodes=25), "the same around a ring of 25", 30_000),
    "tcp-equal": (lambda: tcp_ring(latency=Constant(1.0)), "the same, all latencies equal", 30_000),
    "trials-memory": (short_trials_in_memory, "trials of 5 processes and 100 messages, in memory", 300),
    "trials-tcp": (short_trials, "the same over 20 TCP connections", 300),
    "runs": (runs_of_trio, "times 5 runs of trio.run that do nothing", 0),
    "starts": (start_ups, "starts and ends of 5 processes", 1000),
    "starts-alone": (starts_alone, "starts of 5 processes, without their ends", 1000),
    "starts-asyncio": (partial(start_ups, runtime="asyncio"), "the same, 5 asyncio processes", 1000),
    "starts-alone-asyncio": (
        *(partial(starts_alone, runtime="asyncio"), "starts of 5 asyncio processes, without their ends"),
        1000,
    ),
    "sleeps": (plain_sleeps, "virtual seconds of 20 sleeping tasks in one trio.run", 0),
    "idle": (idle_cluster, "virtual seconds of 5 idle processes, 20 connections", 1000),
}


if __name__ == "__main__":
    with enclosed():
        print_rates(MEASUREMENTS, __doc__)
