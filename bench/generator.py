"""How fast generators are: played without a clock, and run against clients in simulation. Prints medians.

    python bench/generator.py [--repeat 5] [--only mix]

An op is one invocation with its completion. Figures are per second of this process's CPU time.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import trio
from msgspec.structs import replace

from harness.generator import Todo, clients, limit, mix, numbered, play, repeat, stagger
from harness.history import Op
from harness.interpreter import interpret
from harness.sim import World
from harness.workload import Client

OPS = 20_000
READS = repeat(Todo("read"))


def plain() -> int:
    """Reads, as fast as five clients can."""
    return len(play(limit(OPS, READS), concurrency=5)) // 2


def mixed() -> int:
    """What a workload does: reads and unique writes, at random, with random gaps."""
    rng = random.Random(1)
    ops = stagger(0.005, mix(READS, numbered(lambda n: Todo("write", n)), rng=rng), rng=rng)
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
            ops = stagger(0.005, mix(READS, numbered(lambda n: Todo("write", n)), rng=rng), rng=rng)
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


MEASUREMENTS: dict[str, tuple[Callable[[], int], str, float]] = {
    "plain": (plain, "ops played, one after another", 50_000),
    "mix": (mixed, "ops played, staggered and mixed", 0),
    "interpreted": (interpreted, "ops interpreted in simulation", 0),
}


def main() -> None:
    """Measure, and say which figures are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    options = parser.parse_args()
    for name in options.only or MEASUREMENTS:
        measure, noun, goal = MEASUREMENTS[name]
        rates = []
        for _ in range(options.repeat):
            begin = time.process_time()
            count = measure()
            rates.append(count / (time.process_time() - begin))
        note = "" if not goal else f"   (to reach: {goal:,.0f})"
        print(f"{median(rates):12,.0f} /s  {noun}{note}")


if __name__ == "__main__":
    main()
