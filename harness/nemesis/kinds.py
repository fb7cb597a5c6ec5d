"""The kinds of fault that can be asked for by name, and how one of each is aimed at a cluster."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import permutations
from typing import Any

from harness.nemesis import grudge
from harness.nemesis.device_fault import SPOILS
from harness.nemesis.grudge import Grudge
from harness.nemesis.unfold import restart_loop, strobe, swizzle
from harness.plan import FAULT_KINDS, Fault

Aim = Callable[[Sequence[str], random.Random], Mapping[str, Any]]
"""Given the nodes that may be struck, the fields of a `Fault` that say whom it strikes and how hard."""

Unfold = Callable[[Fault, random.Random], Sequence[Fault]]
"""Makes of one fault, as it was aimed, those that it consists of: within its time, in order."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """Something that `--nemesis` can be given."""

    name: str
    about: str
    """One line for people."""
    kind: str
    """What `Fault.kind` it is drawn as."""
    aim: Aim
    ms_min: int
    ms_max: int
    """How long it lasts: long enough for time-outs to fire, short enough for the cluster to recover."""
    unfold: Unfold = lambda fault, rng: (fault,)

    @property
    def takes_down(self) -> bool:
        """Whether struck nodes may not answer while it lasts."""
        return self.kind in _TAKE_DOWN


class UnknownFault(Exception):
    """There is no kind of fault of this name; the message offers those that are near."""

    def __init__(self, name: str) -> None:
        known = sorted({*FAULTS, *GROUPS})
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        super().__init__(f"there is no fault called {name!r}; {hint}")
        self.name, self.near = name, tuple(near)


def fault_kinds(names: Sequence[str], rng: random.Random) -> tuple[FaultKind, ...]:
    """The kinds meant by these names, groups resolved, each once; `mixed` draws some of all.

    Raises: UnknownFault.
    """
    chosen: dict[str, FaultKind] = {}
    for name in names:
        if name not in FAULTS and name not in GROUPS:
            raise UnknownFault(name)
        for member in _members(name, rng):
            chosen[member] = FAULTS[member]
    return tuple(chosen.values())


def _members(name: str, rng: random.Random) -> Sequence[str]:
    if name == "mixed":
        return sorted(rng.sample(SURVIVABLE, rng.randint(1, len(SURVIVABLE))))
    members = {"all": SURVIVABLE, "clocks": CLOCKS, "disks": DISKS, "unsafe": UNSAFE, "none": ()}
    return members.get(name, (name,))


MESSAGE_KINDS = ("delay", "reorder", "drop", "duplicate", "corrupt")
"""The kinds that strike messages, and so need no victim among the nodes."""
CLOCKS = ("clock_skew", "clock_jump")
"""What a system may presume not to happen, or not to matter: many never ask what time it is."""
DISKS = ("slow_disk", "full_disk", "failing_disk", "failing_sync")
"""Disks that say so when they fail."""
UNSAFE = ("corrupt", *SPOILS)
"""The kinds that break promises on which nearly every system is built; drawn only when asked for."""
SURVIVABLE = tuple(kind for kind in FAULT_KINDS if kind not in (*UNSAFE, *CLOCKS))
"""The kinds that a correct system survives without presuming anything about time."""
_TAKE_DOWN = ("pause", "kill", "power_loss", "crash_at_sync", "crash_at_await", *DISKS[1:])

GROUPS: Mapping[str, str] = {
    "all": "every kind in turn that a correct system survives, come what may",
    "mixed": "some of these, drawn anew for each trial; leaving some out finds what their presence hides",
    "clocks": "clocks that run fast or slow, and wall clocks that jump",
    "disks": "disks that are slow, full or failing, and say so",
    "unsafe": "messages and disks that are wrong and do not say so; hardly any system survives these",
    "none": "no faults at all",
}
"""Names that stand for several kinds, with a line about each."""


def _shaped(shape: str, draw: Callable[[Sequence[str], random.Random], Grudge]) -> Aim:
    return lambda nodes, rng: {"grudge": draw(nodes, rng), "shape": shape}


def _one_way(nodes: Sequence[str], rng: random.Random) -> Grudge:
    if len(nodes) < 2:
        return {}
    victim = rng.choice(sorted(nodes))
    return rng.choice([grudge.send_only, grudge.receive_only])(nodes, victim)


def _bridge(nodes: Sequence[str], rng: random.Random) -> Grudge:
    return grudge.bridge(rng.sample(sorted(nodes), len(nodes)))


_SHAPES: Mapping[str, tuple[Callable[[Sequence[str], random.Random], Grudge], str]] = {
    "halves": (lambda nodes, rng: grudge.halves(nodes), "the first half of the nodes against the second"),
    "random-halves": (grudge.random_halves, "two halves, drawn anew each time"),
    "one": (grudge.one, "one node against all others"),
    "minority": (grudge.minority, "fewer than half of the nodes against the others"),
    "majority": (grudge.majority, "the barest majority against the others"),
    "majorities-ring": (grudge.majorities_ring, "every node hears a majority, and no two the same"),
    "bridge": (_bridge, "two halves, and one node that both hear"),
    "one-way": (_one_way, "one node is heard and hears nobody, or hears and is not heard"),
}


def _any_shape(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    shape = rng.choice(sorted(_SHAPES))
    return _shaped(shape, _SHAPES[shape][0])(nodes, rng)


def _victims(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """One node half of the time, else any number, all of them included."""
    if not nodes:
        return {"nodes": ()}
    count = 1 if rng.random() < 0.5 else rng.randint(1, len(nodes))
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


def _minority(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """Fewer than half of the nodes, and at least one: as much damage as can be made good again."""
    count = rng.randint(1, max(1, (len(nodes) - 1) // 2)) if nodes else 0
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


def _and(aim: Aim, **draws: Callable[[random.Random], float]) -> Aim:
    """Aimed as by `aim`, with other fields drawn beside."""

    def aim_and_draw(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        return {**aim(nodes, rng), **{field: draw(rng) for field, draw in draws.items()}}

    return aim_and_draw


def _between(low: float, high: float, digits: int | None = None) -> Callable[[random.Random], float]:
    """A number of any magnitude in a range, rounded."""
    return lambda rng: round(math.exp(rng.uniform(math.log(low), math.log(high))), digits)


def _either_way(low: float, high: float) -> Callable[[random.Random], float]:
    """The same, forward or back."""
    return lambda rng: rng.choice((-1, 1)) * _between(low, high, 1)(rng)


def _some_links(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """The links of one node half of the time, to it, from it or both; else any."""
    pairs = sorted(permutations(nodes, 2))
    if not pairs:
        return {}
    victim, ends = rng.choice(sorted(nodes)), rng.choice(((0,), (1,), (0, 1)))
    if rng.random() < 0.5:
        links = [pair for pair in pairs if any(pair[end] == victim for end in ends)]
        return {"links": tuple(links), "shape": f"links of {victim}"}
    return {"links": tuple(sorted(rng.sample(pairs, rng.randint(1, len(pairs)))))}


def _messages(ms_max: float) -> Aim:
    """All links half of the time, else those of one node; few messages or many, a little or a lot."""

    def aim(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields: dict[str, Any] = {"probability": round(rng.uniform(0.05, 0.5), 2)}
        if ms_max:
            fields["ms"] = round(ms_max ** rng.uniform(0.3, 1.0), 1)
        if rng.random() < 0.5 and len(nodes) > 1:
            victim = rng.choice(sorted(nodes))
            others = [node for node in nodes if node != victim]
            links = [(victim, node) for node in others] + [(node, victim) for node in others]
            fields |= {"links": tuple(sorted(links)), "shape": f"links of {victim}"}
        return fields

    return aim


def _registry() -> Mapping[str, FaultKind]:
    kinds = [FaultKind("partition", "a partition of any shape", "partition", _any_shape, 200, 2000)]
    kinds += [
        FaultKind(shape, f"a partition: {about}", "partition", _shaped(shape, draw), 200, 2000)
        for shape, (draw, about) in _SHAPES.items()
    ]
    kinds += [
        FaultKind("pause", "processes stand still (SIGSTOP) and go on", "pause", _victims, 50, 1500),
        FaultKind("kill", "processes are killed (SIGKILL) and restarted", "kill", _victims, 50, 1500),
        FaultKind(
            "power_loss", "machines lose power and what was not synced", "power_loss", _victims, 50, 1500
        ),
        FaultKind("delay", "some messages are late", "delay", _messages(300), 200, 2000),
        FaultKind("reorder", "some messages are overtaken by others", "reorder", _messages(300), 200, 2000),
        FaultKind("drop", "some messages are lost", "drop", _messages(0), 200, 2000),
        FaultKind("duplicate", "some messages arrive twice", "duplicate", _messages(300), 200, 2000),
        FaultKind("clog", "messages are held back, and then all arrive", "clog", _some_links, 50, 2000),
    ]
    kinds += [*_loops(), *_crash_points(), *_clocks(), *_disks(), *_unsafe()]
    return {kind.name: kind for kind in kinds}


def _loops() -> Iterator[FaultKind]:
    about = "links are clogged one by one, and let go in another order"
    yield FaultKind("swizzle", about, "clog", _some_links, 200, 2000, swizzle)
    about = "processes are killed and restarted again and again"
    yield FaultKind("restart-loop", about, "kill", _victims, 200, 1500, restart_loop)
    about = "wall clocks jump there and back many times"
    yield FaultKind("strobe", about, "clock_jump", _JUMP, 50, 500, strobe)


def _crash_points() -> Iterator[FaultKind]:
    next_syncs = _and(_victims, after=lambda rng: rng.choice((0, 0, 1, 2, 4)))
    about = "machines lose power between a write and its sync"
    yield FaultKind("crash_at_sync", about, "crash_at_sync", next_syncs, 100, 1500)
    next_turns = _and(_victims, after=_between(1, 100))
    about = "processes are killed in the midst of what they do"
    yield FaultKind("crash_at_await", about, "crash_at_await", next_turns, 100, 1500)


def _clocks() -> Iterator[FaultKind]:
    skew = _and(_victims, rate=_between(0.1, 10, 2))
    about = "clocks run up to ten times too fast or too slow"
    yield FaultKind("clock_skew", about, "clock_skew", skew, 200, 2000)
    yield FaultKind("clock_jump", "wall clocks are set forward, or back", "clock_jump", _JUMP, 50, 2000)


_JUMP = _and(_victims, ms=_either_way(1, 100_000))


def _disks() -> Iterator[FaultKind]:
    slow = _and(_victims, ms=_between(10, 500, 1))
    yield FaultKind("slow_disk", "disks take long to make anything durable", "slow_disk", slow, 100, 1500)
    yield FaultKind("full_disk", "no more fits on disks (ENOSPC)", "full_disk", _victims, 50, 1500)
    yield FaultKind("failing_disk", "writes fail (EIO)", "failing_disk", _victims, 50, 1500)
    yield FaultKind("failing_sync", "syncs fail (EIO)", "failing_sync", _victims, 50, 1500)


def _unsafe() -> Iterator[FaultKind]:
    abouts = {
        "lying_disk": "syncs that do nothing, and say they did",
        "lost_writes": "writes that never reach the device",
        "corrupt_writes": "writes with a bit turned",
        "misdirected_writes": "writes that end up elsewhere in the file",
        "stale_reads": "reads that show the past",
    }
    for kind, about in abouts.items():
        yield FaultKind(kind, about, kind, _and(_minority, probability=_between(0.05, 1.0, 2)), 200, 2000)
    yield FaultKind("corrupt", "some messages have a bit turned", "corrupt", _messages(0), 200, 2000)


FAULTS: Mapping[str, FaultKind] = _registry()
"""Every kind of fault by name."""
