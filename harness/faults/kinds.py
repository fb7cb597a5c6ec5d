"""The kinds of fault that can be asked for by name, and the groups of them.

A name is that of a kind, as in `kill`, or of a kind and whom it is to strike, as in `kill:leader`.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ostrakon.harness.faults.aim import (
    SHAPES,
    SIZES,
    Aim,
    also,
    any_shape,
    at_target,
    between,
    either_way,
    fewer_than_half,
    shaped,
    so_many,
    some_links,
    some_messages,
    some_pair,
    victims,
)
from ostrakon.harness.faults.device_fault import DECAYS, SPOILS
from ostrakon.harness.faults.expand import Expand, restart_loop, strobe, swizzle, whole
from ostrakon.harness.faults.target import TARGETS
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import FAULT_COLOURS, FAULT_KINDS


@dataclass(frozen=True, slots=True)
class FaultKind:
    """Something that `--nemesis` can be given: what it does, to whom, for how long, and how it is shown.

    Whatever does a fault also undoes it: `ostrakon.harness.faults.apply` makes a context manager of each.
    """

    name: str
    about: str
    """One line for people."""
    kind: str
    """What `Fault.kind` it is drawn as."""
    aim: Aim
    ms_min: int
    ms_max: int
    """How long it lasts: long enough for time-outs to fire, short enough for the cluster to recover."""
    expand: Expand = whole

    @property
    def takes_down(self) -> bool:
        """Whether struck nodes may not answer while it lasts."""
        return self.kind in _TAKE_DOWN

    @property
    def colour(self) -> str:
        """The group whose colour it has in reports."""
        return FAULT_COLOURS[self.kind]


class UnknownFault(Exception):
    """There is no kind of fault of this name; the message offers those that are near."""

    def __init__(self, name: str, known: Collection[str] | None = None) -> None:
        known = sorted(known if known is not None else {*FAULTS, *GROUPS})
        super().__init__(f"there is no fault called {name!r}; {suggestion(name, known)}")
        self.name = name


def fault_kinds(
    names: Sequence[str], rng: random.Random, targets: Collection[str] = tuple(TARGETS)
) -> tuple[FaultKind, ...]:
    """The kinds meant by these names, groups resolved, each once; `mixed` draws some of all.

    `targets` are the names that may follow a colon, besides those of `SIZES`. Raises: UnknownFault.
    """
    chosen: dict[str, FaultKind] = {}
    for name in names:
        for member in _members(name, rng):
            chosen[member] = find_fault(member, targets)
    return tuple(chosen.values())


def find_fault(name: str, targets: Collection[str] = tuple(TARGETS)) -> FaultKind:
    """The kind of fault of this name. Raises: UnknownFault."""
    if name in FAULTS:
        return FAULTS[name]
    base, colon, whom = name.partition(":")
    kind = FAULTS.get(base)
    if not colon or kind is None:
        raise UnknownFault(name)
    if whom not in (*SIZES, *targets):
        raise UnknownFault(name, [f"{base}:{known}" for known in (*SIZES, *targets)])
    aim = _aim_of_one_side(kind)
    aim = so_many(aim, kind.kind, whom) if whom in SIZES else at_target(aim, whom)
    return replace(kind, name=name, about=f"{kind.about}: {whom}", aim=aim)


def _aim_of_one_side(kind: FaultKind) -> Aim:
    """How a kind is aimed before it is said at whom: of a partition, only the way in which it parts."""
    if kind.kind != "partition":
        return kind.aim
    shapes = {"one-way": ("send-only", "receive-only"), "bridge": ("bridge",)}.get(kind.name, ("",))
    return lambda nodes, rng: {"shape": rng.choice(shapes)}


def _members(name: str, rng: random.Random) -> Sequence[str]:
    if name == "mixed":
        return sorted(rng.sample(SURVIVABLE, rng.randint(1, len(SURVIVABLE))))
    members = {"all": SURVIVABLE, "more": MORE, "aimed": AIMED, "clocks": CLOCKS, "disks": DISKS}
    return {**members, "unsafe": UNSAFE, "none": ()}.get(name, (name,))


CLOCKS = ("clock_skew", "clock_jump", "suspend")
"""What a system may presume not to happen, or not to matter: many never ask what time it is."""
DISKS = ("slow_disk", "full_disk", "failing_disk", "failing_sync")
"""Disks that say so when they fail."""
UNSAFE = ("corrupt", *SPOILS, *DECAYS)
"""The kinds that break promises on which nearly every system is built; drawn only when asked for."""
MORE = ("stop", "throttle", "reset", "failing_read", "short_reads")
"""Kinds that are milder than others like them, or strike rarely."""
SURVIVABLE = tuple(kind for kind in FAULT_KINDS if kind not in (*UNSAFE, *CLOCKS, *MORE))
"""The kinds that a correct system survives without presuming anything about time."""
AIMED = (
    *("kill:leader", "pause:leader", "partition:leader", "one-way:leader", "bridge:leader", "delay:leader"),
    *("kill:quorum", "power_loss:quorum", "partition:quorum", "power_loss:all"),
    *("drop-next", "delay-next", "duplicate-next"),
)
"""Where it hurts: at leaders, at those who hold the newest value, at single messages."""
_TAKE_DOWN = (
    *("pause", "suspend", "kill", "power_loss", "stop", "crash_at_sync", "crash_at_await"),
    *("failing_read", *DISKS[1:]),
)

GROUPS: Mapping[str, str] = {
    "all": "every kind in turn that a correct system survives, come what may",
    "mixed": "some of these, drawn anew for each trial; leaving some out finds what their presence hides",
    "more": "kinds that neither of these draws, for they are milder or rarer than others",
    "aimed": "faults of leaders, of those who hold the newest value, and of single messages",
    "clocks": "clocks that run fast or slow or stand still, and wall clocks that jump",
    "disks": "disks that are slow, full or failing, and say so",
    "unsafe": "messages and disks that are wrong and do not say so; hardly any system survives these",
    "none": "no faults at all",
}
"""Names that stand for several kinds, with a line about each."""


def _registry() -> Mapping[str, FaultKind]:
    kinds = [FaultKind("partition", "a partition of any shape", "partition", any_shape, 200, 2000)]
    kinds += [
        FaultKind(shape, f"a partition: {about}", "partition", shaped(shape, draw), 200, 2000)
        for shape, (draw, about) in SHAPES.items()
    ]
    kinds += [
        FaultKind("pause", "processes stand still (SIGSTOP) and go on", "pause", victims, 50, 1500),
        FaultKind("kill", "processes are killed (SIGKILL) and restarted", "kill", victims, 50, 1500),
        FaultKind(
            "power_loss", "machines lose power and what was not synced", "power_loss", victims, 50, 1500
        ),
        FaultKind("delay", "some messages are late", "delay", some_messages(300), 200, 2000),
        FaultKind("reorder", "some messages are overtaken", "reorder", some_messages(300), 200, 2000),
        FaultKind("drop", "some messages are lost", "drop", some_messages(0), 200, 2000),
        FaultKind("duplicate", "some messages arrive twice", "duplicate", some_messages(300), 200, 2000),
        FaultKind("clog", "messages are held back, and then all arrive", "clog", some_links, 50, 2000),
    ]
    kinds += [*_loops(), *_crash_points(), *_clocks(), *_disks(), *_unsafe(), *_more(), *_single_messages()]
    return {kind.name: kind for kind in kinds}


def _loops() -> Iterator[FaultKind]:
    about = "links are clogged one by one, and let go in another order"
    yield FaultKind("swizzle", about, "clog", some_links, 200, 2000, swizzle)
    about = "processes are killed and restarted again and again"
    yield FaultKind("restart-loop", about, "kill", victims, 200, 1500, restart_loop)
    about = "wall clocks jump there and back many times"
    yield FaultKind("strobe", about, "clock_jump", _JUMP, 50, 500, strobe)


def _crash_points() -> Iterator[FaultKind]:
    next_syncs = also(victims, after=lambda rng: rng.choice((0, 0, 1, 2, 4)))
    about = "machines lose power between a write and its sync"
    yield FaultKind("crash_at_sync", about, "crash_at_sync", next_syncs, 100, 1500)
    next_turns = also(victims, after=between(1, 100))
    about = "processes are killed in the midst of what they do"
    yield FaultKind("crash_at_await", about, "crash_at_await", next_turns, 100, 1500)


def _clocks() -> Iterator[FaultKind]:
    skew = also(victims, rate=between(0.1, 10, 2))
    about = "clocks run up to ten times too fast or too slow"
    yield FaultKind("clock_skew", about, "clock_skew", skew, 200, 2000)
    yield FaultKind("clock_jump", "wall clocks are set forward, or back", "clock_jump", _JUMP, 50, 2000)
    about = "machines sleep and wake: processes stand still, and so do their monotonic clocks"
    yield FaultKind("suspend", about, "suspend", victims, 50, 2000)


_JUMP = also(victims, ms=either_way(1, 100_000))


def _disks() -> Iterator[FaultKind]:
    slow = also(victims, ms=between(10, 500, 1))
    yield FaultKind("slow_disk", "disks take long to make anything durable", "slow_disk", slow, 100, 1500)
    yield FaultKind("full_disk", "no more fits on disks (ENOSPC)", "full_disk", victims, 50, 1500)
    yield FaultKind("failing_disk", "writes fail (EIO)", "failing_disk", victims, 50, 1500)
    yield FaultKind("failing_sync", "syncs fail (EIO)", "failing_sync", victims, 50, 1500)


def _unsafe() -> Iterator[FaultKind]:
    abouts = {
        "lying_disk": "syncs that do nothing, and say they did",
        "lost_writes": "writes that never reach the device",
        "corrupt_writes": "writes with a bit turned",
        "misdirected_writes": "writes that end up elsewhere in the file",
        "stale_reads": "reads that show the past",
    }
    for kind, about in abouts.items():
        yield FaultKind(
            kind, about, kind, also(fewer_than_half, probability=between(0.05, 1.0, 2)), 200, 2000
        )
    yield FaultKind("corrupt", "some messages have a bit turned", "corrupt", some_messages(0), 200, 2000)
    yield FaultKind("bit_rot", "a bit turns in a file that nobody writes", "bit_rot", fewer_than_half, 1, 1)
    yield FaultKind("cut_files", "a file loses its last bytes", "cut_files", fewer_than_half, 1, 1)


def _more() -> Iterator[FaultKind]:
    yield FaultKind("stop", "processes are told to stop (SIGTERM) and restarted", "stop", victims, 50, 1500)
    narrow = also(some_links, probability=lambda rng: 1.0, ms=between(10, 500, 1))
    yield FaultKind("throttle", "links are narrow, and messages wait in line", "throttle", narrow, 200, 2000)
    yield FaultKind("reset", "connections between nodes are reset", "reset", some_links, 1, 1)
    yield FaultKind("failing_read", "reads of files fail (EIO)", "failing_read", victims, 50, 1500)
    often = also(victims, probability=between(0.05, 1.0, 2))
    about = "reads of files give less than was asked for, though there is more"
    yield FaultKind("short_reads", about, "short_reads", often, 50, 1500)


def _single_messages() -> Iterator[FaultKind]:
    yield FaultKind("drop-next", "one message on one link is lost", "drop", some_pair, 50, 1000)
    late = also(some_pair, ms=between(10, 1000, 1))
    yield FaultKind("delay-next", "one message on one link is overtaken by others", "reorder", late, 50, 1000)
    yield FaultKind("duplicate-next", "one message on one link arrives twice", "duplicate", late, 50, 1000)


FAULTS: Mapping[str, FaultKind] = _registry()
"""Every kind of fault by name."""
