"""How fast generators are: played without a clock, and run against clients in simulation. Prints medians.

    python -m bench.generator [--repeat 5] [--only mix]

An op is one invocation with its completion. Figures are per second of this process's CPU time.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from msgspec.structs import replace

from bench._rates import Measurement, print_rates
from ostrakon.harness.generator import OpRequest, clients, limit, mix, numbered, play, repeat, stagger
from ostrakon.harness.history import Op
from ostrakon.harness.interpreter import interpret
from ostrakon.harness.sim import World
from ostrakon.harness.workload import Client

OPS = 20_000
READS = repeat(OpRequest("read"))


def plain() -> int:
    """Reads, as fast as five clients can."""
    return len(play(limit(OPS, READS), concurrency=5)) // 2


def mixed() -> int:
    """What a workload does: reads and unique writes, at random, with random gaps."""
    rng = random.Random(1)
    ops = stagger(0.005, mix(READS, numbered(lambda n: OpRequest("write", n)), rng=rng), rng=rng)
    return len(play(clients(limit(OPS, ops)), concurrency=5)) // 2


def interpreted() -> int:
    """The same, run by the interpreter against clients that answer after 3 ms."""
    history: list[Op] = []

    class Prompt:
        async def apply(self, op: Op) -> Op:
            await trio.sleep(0.003)
            return replace(op, type="ok")

    @asynccontextmanager
    async def connect(process: int) -> AsyncIterator[Client]:
        yield Prompt()

    with World(1) as world:

        async def control() -> None:
            rng = random.Random(1)
            ops = stagger(0.005, mix(READS, numbered(lambda n: OpRequest("write", n)), rng=rng), rng=rng)
            await interpret(
                clients(limit(OPS // 4, ops)),
                connect=connect,
                concurrency=5,
                record=history.append,
                now_ns=lambda: world.now_ns,
                timeout_s=1,
            )

        process = world.machine("control", is_node=False).start(control)
        world.run(stop=lambda: process.done)
    return len(history) // 2


MEASUREMENTS: dict[str, Measurement] = {
    "plain": (plain, "ops played, one after another", 50_000),
    "mix": (mixed, "ops played, staggered and mixed", 0),
    "interpreted": (interpreted, "ops interpreted in simulation", 0),
}


if __name__ == "__main__":
    print_rates(MEASUREMENTS, __doc__)
