"""Runs a program natively and in simulation, and keeps what it sees: values and errors, in order."""

from __future__ import annotations

import asyncio
import errno
import gc
import inspect
import os
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from ostrakon.harness.sim import NotSimulated, World
from ostrakon.harness.substrates.runtime import Runtime

PATIENCE_S = 0.7
"""After so long an observation is that something waits; natively that is real time."""


class Observer:
    """What one run of a program sees."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.seen: dict[str, str] = {}

    def note(self, label: str, value: object) -> None:
        """Note a value."""
        assert label not in self.seen, f"{label!r} is used twice"
        self.seen[label] = repr(value).replace(self.directory, "DIRECTORY")

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    async def see(self, label: str, call: Callable[..., Any], *args: Any) -> Any:
        """Note what a call returns, raises, or that it waits."""
        assert label not in self.seen, f"{label!r} is used twice"
        result = None
        with trio.move_on_after(PATIENCE_S) as scope:
            try:
                result = call(*args)
                if inspect.isawaitable(result):
                    result = await result
                told = repr(result)
            except (trio.Cancelled, NotSimulated):
                raise
            except Exception as error:
                told = self._name(error)
        told = "waits" if scope.cancelled_caught else told
        self.seen[label] = told.replace(self.directory, "DIRECTORY")
        return result

    def _name(self, error: Exception) -> str:
        name = type(error).__name__
        if not isinstance(error, OSError):
            return f"{name}: {error}"
        names = [path for path in (error.filename, error.filename2) if path is not None]
        return f"{name} {errno.errorcode.get(error.errno or 0, error.errno)} {names}"


Case = Callable[[Observer], Awaitable[None]]


def natively(case: Case, runtime: Runtime = "trio") -> dict[str, str]:
    """What Linux shows."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as directory:
        observer = Observer(directory)
        os.chdir(directory)
        try:
            if runtime == "trio":
                trio.run(case, observer)
            else:
                asyncio.run(case(observer))  # type: ignore[arg-type]
        finally:
            os.chdir(before)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()  # What the program left open is closed here, and not in another test.
        return observer.seen


def in_simulation(case: Case, runtime: Runtime = "trio") -> dict[str, str]:
    """What a simulated machine shows."""
    observer = Observer("/tmp/work")

    async def program() -> None:
        os.mkdir("/tmp/work")
        await case(observer)

    with World(1) as world:
        process = world.machine("m").start(program, runtime=runtime)
        world.run(until_s=600, stop=lambda: process.done)
        if process.error is not None:
            raise process.error
        assert process.done, f"it does not end: {world.waiting()}"
    return observer.seen
