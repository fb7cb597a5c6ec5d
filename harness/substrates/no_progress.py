"""The tasks that wait, and the machines that they wait for, when a world makes no progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


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
