"""Where and when a program took a function by name makes no difference."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from trio.to_thread import run_sync

from ostrakon.harness.sim import World
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from tests.sim.toy import run_one

ROOT = Path(__file__).resolve().parents[3]


class Timer:
    clock = staticmethod(time.time)


def default(clock: Callable[[], float] = time.time) -> float:
    return clock()


def named(*, clock: Callable[[], float] = time.time) -> float:
    return clock()


@dataclass
class Record:
    made: float = field(default_factory=time.time)


def closure(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock()


held = closure(time.time)


@pytest.mark.parametrize(
    "ask",
    [lambda: Timer.clock(), default, named, lambda: Record().made, lambda: held()],
    ids=["class attribute", "default", "keyword default", "default factory", "closure"],
)
def test_a_function_that_is_held_by_an_attribute_a_default_or_a_closure_is_ours(
    ask: Callable[[], float],
) -> None:
    told: list[float] = []

    async def program() -> None:
        told.append(ask())

    run_one(lambda _: program())

    assert told == [EPOCH_S]
    assert abs(ask() - time.time()) < 60


def test_a_thread_function_taken_by_name_runs_in_a_world_and_outside_of_it() -> None:
    told: list[int] = []

    async def program() -> None:
        told.append(await run_sync(lambda: 7))

    run_one(lambda _: program())
    trio.run(program)
    run_one(lambda _: program())

    assert told == [7, 7, 7]


SESSION = """
import trio, anyio, anyio.to_thread
from ostrakon.harness.sim import World

async def main():
    print(await anyio.to_thread.run_sync(lambda: 2), flush=True)

def simulated():
    with World(1) as world:
        world.machine("m").start(main)
        world.run()
        assert not world.crashes, world.crashes

for step in {steps}:
    if step == "import":
        import anyio._backends._trio
    elif step == "simulated":
        simulated()
    else:
        trio.run(main)
"""


@pytest.mark.parametrize(
    "steps",
    [
        ["import", "simulated", "native", "simulated"],
        ["simulated", "native", "simulated", "native"],
        ["native", "simulated", "native"],
    ],
    ids=" ".join,
)
def test_native_and_simulated_anyio_programs_can_be_mixed_in_any_order(steps: list[str]) -> None:
    """Each in a fresh interpreter, because what counts is which import comes first."""
    program = SESSION.replace("{steps}", repr(steps))

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120
    )

    assert ran.stderr == ""
    assert ran.stdout.split() == ["2"] * (len(steps) - steps.count("import"))


def test_a_module_imported_inside_of_a_world_works_after_it() -> None:
    sys.modules.pop("sched", None)
    times: list[float] = []

    async def program() -> None:
        import sched  # It says `from time import monotonic as _time`.

        times.append(sched._time())  # type: ignore[attr-defined]

    with World(1) as world:
        world.machine("m").start(program)
        world.run()
    import sched

    assert times == [0.0]
    assert abs(sched._time() - time.monotonic()) < 60  # type: ignore[attr-defined]
