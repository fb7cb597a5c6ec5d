"""The simulator beside those for asyncio in one run: a ring and quorum writes, each in its own best style.

    python -m bench.peers [--repeat 3] [--lines 20000] [--writes 2000]

Figures are per second of this process's CPU time, medians. The others are measured where they can be
imported, which takes Python 3.12: pip install -e '.[peers]'. Latencies are uniform from 0.5 to 2.5 ms, and
connections FIFO, wherever that can be said. Seedloop has messages but no streams: compare it with mailboxes.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from statistics import median
from typing import Any

from bench import _five_nodes as five
from bench._five_nodes import NODES, Course, Program
from ostrakon.harness.sim import Machine, Uniform, World, enclosed
from ostrakon.harness.substrates.runtime import Runtime

LATENCY_S = (0.0005, 0.0025)


def with_detangle(program: Callable[[Course], Program], goal: int) -> None:
    """One random schedule."""
    detangle = importlib.import_module("detangle")

    async def main() -> None:
        finished = asyncio.Event()
        run = program(Course(goal, finished.set))
        for name in NODES:
            detangle.spawn(run(name), host=name)
        await finished.wait()

    detangle.run(main, seed=1, net={"latency": LATENCY_S}, max_steps=10**9)


def with_simloom(program: Callable[[Course], Program], goal: int) -> None:
    """One universe."""
    simloom = importlib.import_module("simloom")

    async def main(world: Any) -> None:
        world.net.set_latency(*LATENCY_S)
        finished = asyncio.Event()
        run = program(Course(goal, finished.set))
        for name in NODES:
            world.host(name).spawn(lambda name=name: run(name))
        await finished.wait()

    simloom.run(main, seed=1)


def with_simloop(program: Callable[[Course], Program], goal: int) -> None:
    """One seed."""
    simloop = importlib.import_module("simloop")

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.net.set_defaults(latency=LATENCY_S)
        finished = asyncio.Event()
        run = program(Course(goal, finished.set))
        for name in NODES:
            loop.net.host(name).create_task(run(name))
        await finished.wait()

    failure = simloop.explore(main, range(1, 2))
    assert failure is None, failure.render()


def with_seedloop(program: Callable[[Any, Course], list[Any]], goal: int) -> None:
    """One seed."""
    seedloop = importlib.import_module("seedloop")

    async def scenario(world: Any) -> None:
        finished = asyncio.Event()
        world.start(*program(world, Course(goal, finished.set)))
        await finished.wait()

    seedloop.check(scenario, seeds=[1])


def with_streams(program: Callable[[Course], Program], goal: int, *, runtime: Runtime = "trio") -> None:
    """One world, each node a real Trio run, or a real asyncio event loop."""
    course = Course(goal, lambda: None)
    run = program(course)
    with World(1, latency=_latency()) as world:
        for name in NODES:
            world.machine(name).start(partial(run, name), runtime=runtime)
        world.run(stop=lambda: course.done >= goal)


def with_mailboxes(program: Callable[[Machine, Course], Any], goal: int) -> None:
    """The same without sockets."""
    course = Course(goal, lambda: None)
    with World(1, latency=_latency()) as world:
        for name in NODES:
            machine = world.machine(name)
            machine.start(program(machine, course))
        world.run(stop=lambda: course.done >= goal)


def _latency() -> Uniform:
    return Uniform(LATENCY_S[0] * 1e3, LATENCY_S[1] * 1e3)


RUNS: dict[str, tuple[str | None, Callable[[Any, int], None], Any, Any]] = {
    "ours, Trio, TCP": (None, with_streams, five.trio_ring, five.trio_quorum),
    "ours, asyncio, TCP": (
        *(None, partial(with_streams, runtime="asyncio")),
        *(five.asyncio_ring, five.asyncio_quorum),
    ),
    "detangle, TCP": ("detangle", with_detangle, five.asyncio_ring, five.asyncio_quorum),
    "simloop, TCP": ("simloop", with_simloop, five.asyncio_ring, five.asyncio_quorum),
    "simloom, TCP": ("simloom", with_simloom, five.asyncio_ring, five.asyncio_quorum),
    "ours, mailboxes": (None, with_mailboxes, five.mailbox_ring, five.mailbox_quorum),
    "seedloop, messages": ("seedloop", with_seedloop, five.seedloop_ring, five.seedloop_quorum),
}


def main() -> int:
    """Print a row for each; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--writes", type=int, default=2_000)
    options = parser.parse_args()
    absent = []
    print(f"Python {sys.version.split()[0]}\n{'':28}{'lines/s':>12}{'quorum writes/s':>18}")
    for name, (package, run, ring, quorum) in RUNS.items():
        if package is not None and not _is_there(package):
            absent.append(package)
            continue
        version = "" if package is None else importlib.metadata.version(package)
        # What stands in for real functions stays in place between our worlds, as in a campaign.
        with enclosed() if package is None else nullcontext():
            lines = _rate(run, ring, options.lines, options.repeat)
            writes = _rate(run, quorum, options.writes, options.repeat)
        print(f"{f'{name} {version}':28}{lines:12,.0f}{writes:18,.0f}", flush=True)
    if absent:
        print(f"not measured, as they are not installed: {', '.join(absent)}; pip install -e '.[peers]'")
    return 0


def _is_there(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def _rate(run: Callable[[Any, int], None], program: Any, count: int, repeat: int) -> float:
    rates = []
    for _ in range(repeat):
        began = time.process_time()
        run(program, count)
        rates.append(count / (time.process_time() - began))
    return median(rates)


if __name__ == "__main__":
    sys.exit(main())
