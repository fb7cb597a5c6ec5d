"""Who waits for what, and for whom, when nothing in a world gets anywhere any more."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trio.lowlevel import Task

if TYPE_CHECKING:
    from ostrakon.harness.sim.process import Process

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
    """Where it waits, innermost last: "node.py:17 in serve"; without what is Trio's and ours."""
    machine: str = ""
    """Where its process is."""
    peer: str = ""
    """The machine that it waits for an answer from, on a connection that it opened; empty if it does not."""

    def __str__(self) -> str:
        where = " > ".join(self.frames) or "in no code of its own"
        whom = f", for {self.peer}" if self.peer else ""
        return f"{self.process} ({self.state}), task {self.task}: {where}{whom}"


def waiting_tasks(processes: Iterable[Process]) -> list[Waiting]:
    """The tasks of every process that is there, in order of creation."""
    return [waiting for process in processes if process.alive for waiting in _tasks_of(process)]


def who_waits(waiting: Iterable[Waiting]) -> list[str]:
    """A line for each process, with where its tasks wait and how many there, and whom they wait for."""
    places: dict[str, Counter[str]] = {}
    for one in waiting:
        where = one.frames[-1] if one.frames else one.task
        whom = f" for {one.peer}" if one.peer else ""
        places.setdefault(f"{one.process} ({one.state})", Counter())[where + whom] += 1
    return [
        f"{process}: {', '.join(f'{count} x {where}' if count > 1 else where for where, count in at.items())}"
        for process, at in places.items()
    ]


def circle(waiting: Iterable[Waiting]) -> tuple[str, ...]:
    """Machines each of which waits for the next one, and the last one for the first; none if there are none.

    No more than a hint: a machine has other tasks, that need not wait.
    """
    peers: dict[str, list[str]] = {}
    for one in waiting:
        if one.peer and one.peer not in peers.setdefault(one.machine, []):
            peers[one.machine].append(one.peer)
    ways = [way for start in peers if (way := _way_back(start, peers, (start,)))]
    return min(ways, key=len, default=())


def _way_back(start: str, peers: Mapping[str, Sequence[str]], way: tuple[str, ...]) -> tuple[str, ...]:
    for peer in peers.get(way[-1], ()):
        if peer == start:
            return way
        if peer not in way and (longer := _way_back(start, peers, (*way, peer))):
            return longer
    return ()


def _tasks_of(process: Process) -> list[Waiting]:
    peers = dict(wait for sock in process.sockets if (wait := sock.waits_for) is not None)
    return [
        Waiting(
            process.name,
            process.state,
            task.name,
            _frames(task),
            process.machine.name,
            peers.get(task, ""),
        )
        for task in process.run.tasks
    ]


def _frames(task: Task) -> tuple[str, ...]:
    """The innermost of the program's own."""
    told = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"
        for frame, line in task.iter_await_frames()
        if not _is_beneath(frame.f_code.co_filename)
    ]
    return tuple(told[-_FRAMES:])


_BENEATH = tuple(f"{os.sep}{package}{os.sep}" for package in ("trio", f"harness{os.sep}sim"))


def _is_beneath(file: str) -> bool:
    return any(package in file for package in _BENEATH)
