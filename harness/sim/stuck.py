"""Who waits for what, when nothing in a world can happen any more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trio.lowlevel import Task

if TYPE_CHECKING:
    from harness.sim.process import Process

_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task that waits."""

    process: str
    """Its process: "n1#0"."""
    state: str
    """Whether that is running or paused."""
    task: str
    frames: tuple[str, ...]
    """Where it waits, innermost last: "node.py:17 in serve"."""

    def __str__(self) -> str:
        where = " > ".join(self.frames) or "not started"
        return f"{self.process} ({self.state}), task {self.task}: {where}"


def waiting_tasks(processes: list[Process]) -> list[Waiting]:
    """The tasks of every process that is there, in order of creation."""
    return [
        Waiting(process.name, process.state, task.name, _frames(task))
        for process in processes
        if process.alive
        for task in process.run.tasks
    ]


def _frames(task: Task) -> tuple[str, ...]:
    frames = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"
        for frame, line in task.iter_await_frames()
        if f"{os.sep}trio{os.sep}_core{os.sep}" not in frame.f_code.co_filename
    ]
    return tuple(frames[-_FRAMES:])
