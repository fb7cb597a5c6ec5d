"""Which tasks of a simulated process wait, and where."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING

from ostrakon.harness.substrates.no_progress import Waiting

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine.process import Process

_FRAMES = 4


def waiting_tasks(processes: Iterable[Process]) -> list[Waiting]:
    """The tasks of every process that is there, in order of creation."""
    return [waiting for process in processes if process.alive for waiting in _tasks_of(process)]


def _tasks_of(process: Process) -> list[Waiting]:
    peers = dict(wait for sock in process.sockets if (wait := sock.waits_for) is not None)
    return [
        Waiting(process.name, process.state, name, _told(frames), process.machine.name, peers.get(at, ""))
        for at, name, frames in process.waits
    ]


def _told(frames: Iterable[tuple[FrameType, int]]) -> tuple[str, ...]:
    """The innermost of the program's own."""
    told = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"
        for frame, line in frames
        if not _is_beneath(frame.f_code.co_filename)
    ]
    return tuple(told[-_FRAMES:])


_BENEATH = (
    *(f"{os.sep}{package}{os.sep}" for package in ("trio", f"harness{os.sep}sim")),
    os.path.join(os.path.dirname(os.__file__), "asyncio") + os.sep,
)


def _is_beneath(file: str) -> bool:
    return any(package in file for package in _BENEATH)
