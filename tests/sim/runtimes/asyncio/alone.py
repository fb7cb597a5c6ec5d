"""Runs one asyncio program in a world of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ostrakon.harness.sim import World
from ostrakon.harness.substrates.runtime import Runtime


def run_alone(program: Callable[[], object], *, seed: int = 1, runtime: Runtime = "asyncio") -> Any:
    """What the program returned on a machine called "alone". Raises: what the program raised."""
    with World(seed) as world:
        process = world.machine("alone").start(program, runtime=runtime)
        world.run()
    if process.error is not None:
        raise process.error
    assert process.done, f"it still waits: {world.waiting()}"
    return process.value
