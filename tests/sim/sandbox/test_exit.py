"""Functions of `atexit` and finalizers run at the end of a simulated program, and never in the real world."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import weakref
from pathlib import Path

import pytest
import trio

from ostrakon.harness.sim import World


class Thing:
    """Something that can be finalized."""


def test_they_run_at_the_end_of_the_program_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: log.append(told.exc_type.__name__))
    things = Thing(), Thing()

    async def program() -> None:
        for thing, text in zip(things, ("finalizer", "not at exit"), strict=True):
            weakref.finalize(thing, log.append, text).atexit = text == "finalizer"
        atexit.register(log.append, "first")
        atexit.register(lambda: 1 // 0)
        atexit.register(log.append, "second")
        await trio.sleep(1)
        log.append("program ends")

    with World(1) as world:
        world.machine("m").start(program)
        world.run()

    assert log == ["program ends", "second", "ZeroDivisionError", "first", "finalizer"]


def test_a_function_can_be_withdrawn() -> None:
    log: list[str] = []

    def late() -> None:
        log.append("late")

    async def program() -> None:
        atexit.register(late)
        atexit.unregister(late)

    with World(1) as world:
        world.machine("m").start(program)
        world.run()

    assert log == []


def test_a_killed_process_leaves_real_files_alone_for_ever(tmp_path: Path) -> None:
    """Python collects garbage at any time, and calls functions at its own exit: both outside of the world."""
    files = [tmp_path / name for name in ("finalizer", "cycle", "destructor", "atexit")]
    for file in files:
        file.touch()
    kept = [Thing()]

    class Remover:
        def __init__(self, path: Path) -> None:
            self.path, self.cycle = path, self

        def __del__(self) -> None:
            os.unlink(self.path)

    class Cycle:
        def __init__(self) -> None:
            self.cycle = self

    async def program() -> None:
        weakref.finalize(kept[0], os.unlink, files[0])
        weakref.finalize(Cycle(), os.unlink, files[1])
        Remover(files[2])
        atexit.register(os.unlink, files[3])
        await trio.sleep_forever()

    with World(1) as world:
        machine = world.machine("m")
        machine.start(program)
        world.call_later(1, machine.kill)
        world.run(until_s=2)
    kept.clear()
    gc.collect()

    assert [file.name for file in files if not file.exists()] == []
    finalizers = weakref.finalize._registry.values()  # type: ignore[attr-defined]
    assert all(one.args != (files[0],) for one in finalizers), "the interpreter would call it at its end"
