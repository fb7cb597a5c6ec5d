"""Finds kinds of fault by name: those of this project, and those that other packages offer.

A package offers kinds as entry points of the group `ostrakon.faults`; each is a `FaultKind` or a sequence of
them. A name for `--nemesis` is that of a kind or a variant (`kill`), of a kind and what it strikes
(`kill:leader`), or of a group (`disks`).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from ostrakon.harness.faults.clock import CLOCK_JUMP, CLOCK_SKEW, STROBE, SUSPEND
from ostrakon.harness.faults.clog import CLOG, SWIZZLE
from ostrakon.harness.faults.cluster import Cluster
from ostrakon.harness.faults.crash_point import CRASH_AT_AWAIT, CRASH_AT_SYNC
from ostrakon.harness.faults.disk import (
    BIT_ROT,
    CORRUPT_WRITES,
    CUT_FILES,
    FAILING_DISK,
    FAILING_READ,
    FAILING_SYNC,
    FULL_DISK,
    LOST_WRITES,
    LYING_DISK,
    MISDIRECTED_WRITES,
    SHORT_READS,
    SLOW_DISK,
    STALE_READS,
)
from ostrakon.harness.faults.draw import SIZES
from ostrakon.harness.faults.effect import FaultContext
from ostrakon.harness.faults.kind import Draw, FaultKind
from ostrakon.harness.faults.memory import OOM
from ostrakon.harness.faults.messages import (
    CORRUPT,
    DELAY,
    DELAY_NEXT,
    DROP,
    DROP_NEXT,
    DUPLICATE,
    DUPLICATE_NEXT,
    REORDER,
    THROTTLE,
)
from ostrakon.harness.faults.partition import PARTITION, PARTITIONS
from ostrakon.harness.faults.process import KILL, PAUSE, POWER_LOSS, RESTART_LOOP, STARVE, STOP
from ostrakon.harness.faults.reset import RESET
from ostrakon.harness.faults.target import TARGETS
from ostrakon.harness.faults.traffic import TRAFFIC
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import Fault, Substrate

_KINDS = (
    PARTITION,
    PAUSE,
    KILL,
    POWER_LOSS,
    DELAY,
    REORDER,
    DROP,
    DUPLICATE,
    CLOG,
    STOP,
    THROTTLE,
    RESET,
    CORRUPT,
    CRASH_AT_SYNC,
    CRASH_AT_AWAIT,
    CLOCK_SKEW,
    CLOCK_JUMP,
    SUSPEND,
    SLOW_DISK,
    FULL_DISK,
    FAILING_DISK,
    FAILING_SYNC,
    FAILING_READ,
    LYING_DISK,
    LOST_WRITES,
    CORRUPT_WRITES,
    MISDIRECTED_WRITES,
    STALE_READS,
    BIT_ROT,
    CUT_FILES,
    SHORT_READS,
    OOM,
)
# The order is that in which groups name their kinds, and so decides what a seed draws.
_VARIANTS = (
    *PARTITIONS,
    SWIZZLE,
    RESTART_LOOP,
    STARVE,
    STROBE,
    DROP_NEXT,
    DELAY_NEXT,
    DUPLICATE_NEXT,
)
FAULTS: Mapping[str, FaultKind] = {kind.name: kind for kind in (*_KINDS, *_VARIANTS)}
"""The kinds of this project, and their variants, by name."""

# Groups hold kinds of this project alone: what a seed draws must not depend on what else is installed.
SURVIVABLE, MORE, CLOCKS, DISKS, UNSAFE = (
    tuple(kind.name for kind in _KINDS if group in kind.groups)
    for group in ("all", "more", "clocks", "disks", "unsafe")
)
AIMED = (
    *("kill:leader", "pause:leader", "partition:leader", "one-way:leader", "bridge:leader", "delay:leader"),
    *("kill:quorum", "power_loss:quorum", "partition:quorum", "power_loss:all"),
    *("drop-next", "delay-next", "duplicate-next"),
)
"""Faults aimed at what matters most: leaders, the nodes that hold the newest value, and single messages."""

GROUPS: Mapping[str, str] = {
    "all": "every kind that a correct system survives whatever happens, in turn",
    "mixed": "some of these, drawn anew for each trial; leaving some out finds what their presence hides",
    "more": "kinds that neither of these draws, because they are milder or rarer than others",
    "aimed": "faults of leaders, of the nodes that hold the newest value, and of single messages",
    "clocks": "clocks that run fast or slow or stand still, and wall clocks that jump",
    "disks": "disks that are slow, full or failing, and say so",
    "unsafe": "messages and disks that are wrong and do not say so; hardly any system survives these",
    "none": "no faults at all",
}
"""Names that stand for several kinds, with a line about each."""


class UnknownFault(Exception):
    """There is no kind of fault with this name; the message suggests similar names."""

    def __init__(self, name: str, known: Collection[str] | None = None) -> None:
        known = sorted(known if known is not None else {*all_faults(), *GROUPS})
        super().__init__(f"there is no fault called {name!r}; {suggestion(name, known)}")
        self.name = name


class NoSuchTarget(UnknownFault):
    """A fault is aimed at a well-known target that this workload does not have."""

    def __init__(self, base: str, target: str) -> None:
        by_traffic = ", ".join(f"{base}:{known}" for known in TRAFFIC)
        why = f"{base}:{target}: the workload has no target `{target}`"
        Exception.__init__(self, f"{why}; give `targets=` and report events, or aim by traffic: {by_traffic}")
        self.name = f"{base}:{target}"


class BadFaultKind(UnknownFault):
    """A package offers something that is not a fault; the message says what it is and what is expected."""

    def __init__(self, where: str, why: str) -> None:
        Exception.__init__(self, f"{where} in the entry point group ostrakon.faults {why}")
        self.name = where


def all_faults() -> Mapping[str, FaultKind]:
    """Every kind and variant by name; those of other packages come last. Raises: BadFaultKind."""
    return {**FAULTS, **_offered()}


def find_kind(name: str) -> FaultKind | None:
    """The kind that `Fault.kind` names; None if there is none. Raises: BadFaultKind."""
    kind = FAULTS.get(name) or _offered().get(name)
    return kind if kind is not None and not kind.variant_of else None


def kind_names() -> list[str]:
    """The possible values of `Fault.kind`."""
    return [name for name, kind in all_faults().items() if not kind.variant_of]


def apply_fault(fault: Fault, cluster: Cluster) -> FaultContext:
    """The fault that a plan describes, as a context: entering it begins the fault, leaving it undoes the
    fault.

    Raises: ValueError, if there is no such kind of fault; BadFaultKind.
    """
    if (kind := find_kind(fault.kind)) is None:
        raise ValueError(f"a plan's fault is of kind {fault.kind!r}; known are {', '.join(kind_names())}")
    return kind.apply(fault, cluster)


def kinds_on(substrate: Substrate) -> list[str]:
    """The kinds that can act on a substrate."""
    return [name for name in kind_names() if substrate in all_faults()[name].substrates]


def can_act(fault: Fault, substrate: Substrate) -> bool:
    """Whether a fault can be applied on a substrate, as it is aimed.

    Events and messages of live nodes are known only at the end, so no fault can be aimed by them there.
    """
    kind = find_kind(fault.kind)
    is_aimed = bool(fault.when or fault.message or (fault.target and fault.target not in TRAFFIC))
    return kind is not None and substrate in kind.substrates and not (is_aimed and substrate == "live")


def colour_of(kind: str) -> str:
    """The colour of a kind of fault in reports; "other" for a kind that is not installed here."""
    found = find_kind(kind)
    return found.colour if found is not None else "other"


@cache
def _offered() -> Mapping[str, FaultKind]:
    """The kinds of other packages, in the order of their names."""
    offered: dict[str, FaultKind] = {}
    for entry in sorted(entry_points(group="ostrakon.faults"), key=lambda entry: entry.name):
        where = f"{entry.name} = {entry.value}"
        try:
            found = entry.load()
        except Exception as error:  # Whatever the package's own code raises.
            raise BadFaultKind(where, f"cannot be loaded: {type(error).__name__}: {error}") from error
        for kind in _kinds_in(found, where):
            if kind.name in FAULTS or kind.name in offered:
                raise BadFaultKind(
                    where, f"offers a fault {kind.name!r}, and there is one of that name already"
                )
            offered[kind.name] = kind
    return offered


def _kinds_in(found: Any, where: str) -> Iterator[FaultKind]:
    for kind in found if isinstance(found, list | tuple) else (found,):
        if not isinstance(kind, FaultKind):
            raise BadFaultKind(
                where, f"is a {type(kind).__name__}, expected a FaultKind or a sequence of such"
            )
        yield kind


def fault_kinds(
    names: Sequence[str], rng: random.Random, targets: Collection[str] = tuple(TARGETS)
) -> tuple[FaultKind, ...]:
    """The kinds that these names mean, groups resolved, each once; `mixed` draws some of `all`.

    `targets` are the names that may follow a colon, in addition to those of `SIZES` and `TRAFFIC`. Raises:
    UnknownFault.
    """
    chosen: dict[str, FaultKind] = {}
    for name in names:
        for member in _members(name, rng):
            try:
                chosen[member] = find_fault(member, targets)
            except NoSuchTarget:
                if name not in GROUPS:
                    raise  # Of a group, what the workload has no target for is left out.
    return tuple(chosen.values())


def find_fault(name: str, targets: Collection[str] = tuple(TARGETS)) -> FaultKind:
    """The kind, variant or aimed kind of this name. Raises: UnknownFault."""
    known = all_faults()
    if name in known:
        return known[name]
    base, colon, whom = name.partition(":")
    kind = known.get(base)
    if not colon or kind is None:
        raise UnknownFault(name)
    if whom in TARGETS and whom not in targets:
        raise NoSuchTarget(base, whom)
    if whom not in (*SIZES, *TRAFFIC, *targets):
        raise UnknownFault(name, [f"{base}:{near}" for near in (*SIZES, *TRAFFIC, *targets)])
    draw = _draw_size(kind, whom) if whom in SIZES else _draw_target(kind, whom)
    return replace(kind, name=name, variant_of=kind.kind, about=f"{kind.about}: {whom}", draw=draw)


def kind_of(name: str) -> str:
    """`Fault.kind` of faults with this name, whatever they are aimed at. Raises: UnknownFault."""
    return find_fault(name.partition(":")[0]).kind


def targets_in(names: Iterable[str]) -> tuple[str, ...]:
    """The targets in names of faults: the words behind their colons."""
    return tuple(dict.fromkeys(whom for name in names if (whom := name.partition(":")[2])))


def _members(name: str, rng: random.Random) -> Sequence[str]:
    if name == "mixed":
        return sorted(rng.sample(SURVIVABLE, rng.randint(1, len(SURVIVABLE))))
    members = {"all": SURVIVABLE, "more": MORE, "aimed": AIMED, "clocks": CLOCKS, "disks": DISKS}
    return {**members, "unsafe": UNSAFE, "none": ()}.get(name, (name,))


def _draw_size(kind: FaultKind, size: str) -> Draw:
    """Strike as many nodes, drawn at random, as a word of `SIZES` says."""
    drawn = kind.draw_aimed or kind.draw

    def draw(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields = dict(drawn(nodes, rng))
        if not nodes:
            return fields
        struck = rng.sample(sorted(nodes), min(len(nodes), SIZES[size](len(nodes), rng)))
        fault = kind.aim(Fault(kind.kind, 0, 0, shape=fields.get("shape", "")), struck, nodes)
        return {**fields, "shape": size, "nodes": fault.nodes, "links": fault.links, "grudge": fault.grudge}

    return draw


def _draw_target(kind: FaultKind, target: str) -> Draw:
    """Strike nodes that are found only when the fault begins; see `target`."""
    drawn = kind.draw_aimed or kind.draw

    def draw(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields = {**drawn(nodes, rng), "target": target}
        return {name: value for name, value in fields.items() if name not in ("nodes", "links", "grudge")}

    return draw
