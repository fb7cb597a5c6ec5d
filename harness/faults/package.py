"""Packages: kinds of fault with the rhythm they come in, as values that compose.

    leaders = Package(fault_kinds(["kill:leader", "one-way:leader"], rng), Steady(0.5))
    network = Package(fault_kinds(["delay", "drop"], rng))
    faults = (leaders | network).draw(rng, nodes, time_limit_s=10)

`draw_faults` draws the faults of a trial by the names of their kinds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from ostrakon.harness.faults.grudge import majority_of
from ostrakon.harness.faults.kind import FaultKind
from ostrakon.harness.faults.registry import all_faults, fault_kinds
from ostrakon.harness.faults.target import TARGETS
from ostrakon.harness.plan import Fault

_GAP_MS = 600
"""Mean time from the beginning of one fault to that of the next, if the trial is long enough. Faults
overlap at some times, and at others there is none."""
_SHORTEST_MS = 5


class Rhythm(Protocol):
    """When faults begin, and how long they last."""

    def beginnings(self, last_ms: float, end_ms: int, count_min: int, rng: random.Random) -> list[int]:
        """Moments up to the last that is allowed, in order; at least so many, if possible."""

    def length_ms(self, kind: FaultKind, rng: random.Random) -> int:
        """How long a fault of this kind lasts."""


@dataclass(frozen=True, slots=True)
class Scattered:
    """Faults at random times, some of them overlapping; each lasts as long as suits its kind."""

    def beginnings(self, last_ms: float, end_ms: int, count_min: int, rng: random.Random) -> list[int]:
        """On average `_GAP_MS` apart, or less, so that there are enough."""
        if last_ms < 0:
            return []
        gap_ms = max(1.0, min(_GAP_MS, last_ms / (count_min + 1)))
        moments: list[float] = []
        at_ms = rng.uniform(0, min(gap_ms, last_ms))
        while at_ms <= last_ms:
            moments.append(at_ms)
            at_ms += rng.expovariate(1 / gap_ms)
        if len(moments) < count_min:
            moments = sorted(rng.uniform(0, last_ms) for _ in range(count_min))
        return [math.floor(moment) for moment in moments]

    def length_ms(self, kind: FaultKind, rng: random.Random) -> int:
        """Log-uniform: about as many faults of 100 ms as of a second."""
        return round(math.exp(rng.uniform(math.log(kind.ms_min), math.log(kind.ms_max))))


@dataclass(frozen=True, slots=True)
class Steady:
    """One fault at a time: each lasts so long, and between two there is as long a pause."""

    for_s: float
    """The duration of each fault, and of the time before it, in seconds."""

    def beginnings(self, last_ms: float, end_ms: int, count_min: int, rng: random.Random) -> list[int]:
        """As many as there is time for."""
        for_ms = self.for_s * 1000
        turns = (round(for_ms * (2 * turn + 1)) for turn in range(int(end_ms // (2 * for_ms))))
        return [at_ms for at_ms in turns if at_ms <= last_ms]

    def length_ms(self, kind: FaultKind, rng: random.Random) -> int:
        """Always the same."""
        return round(self.for_s * 1000)


@dataclass(frozen=True, slots=True)
class Package:
    """Kinds of fault with one rhythm, and perhaps further packages with rhythms of their own."""

    kinds: Sequence[FaultKind]
    """The kinds of fault."""
    rhythm: Rhythm = field(default_factory=Scattered)
    """Decides when faults begin and how long they last."""
    others: tuple[Package, ...] = ()
    """Further packages that are drawn together with this one."""

    def __or__(self, other: Package) -> Package:
        """Both packages, each in its own rhythm."""
        return Package(self.kinds, self.rhythm, (*self.others, other))

    @property
    def colours(self) -> Mapping[str, str]:
        """The colour that each kind has in reports, by name."""
        own = {kind.name: kind.colour for kind in self.kinds}
        return {name: colour for other in self.others for name, colour in other.colours.items()} | own

    def draw(
        self,
        rng: random.Random,
        nodes: Sequence[str],
        time_limit_s: float,
        *,
        begin_by_s: float = math.inf,
        keep_majority: bool = False,
    ) -> tuple[Fault, ...]:
        """Faults in order of time. They begin before `begin_by_s` and are over before the time limit.

        Each kind is drawn once before any is drawn again. With `keep_majority` a majority is never paused or
        down: a fault that could break this is left out. Partitions do not count.
        """
        end_ms = math.ceil(time_limit_s * 1000) - 1
        last_ms = min(begin_by_s * 1000, end_ms - _SHORTEST_MS)
        faults: list[Fault] = []
        for package in (self, *self.others):
            package._add(faults, rng, nodes, last_ms, end_ms, keep_majority)
        return tuple(sorted(faults, key=lambda fault: fault.at_ms))

    def _add(
        self,
        faults: list[Fault],
        rng: random.Random,
        nodes: Sequence[str],
        last_ms: float,
        end_ms: int,
        keep_majority: bool,
    ) -> None:
        beginnings = self.rhythm.beginnings(last_ms, end_ms, len(self.kinds), rng)
        for at_ms, kind in zip(beginnings, _in_turn(self.kinds, rng), strict=False):
            for_ms = min(self.rhythm.length_ms(kind, rng), end_ms - at_ms)
            candidates = nodes
            if keep_majority and kind.takes_down:
                candidates = _dispensable(faults, at_ms, nodes, rng)
            fault = Fault(kind=kind.kind, at_ms=at_ms, for_ms=for_ms, **kind.draw(candidates, rng))
            if kind.name != kind.kind:
                fault = replace(fault, asked=kind.name)
            if _strikes_something(fault, kind) and not (keep_majority and kind.takes_down and fault.target):
                faults.extend(kind.expand(fault, rng))


def _dispensable(faults: Sequence[Fault], at_ms: int, nodes: Sequence[str], rng: random.Random) -> list[str]:
    """The nodes that are down at a time or come back at that instant, and as many more as can be spared."""
    known = all_faults()
    late = [fault for fault in faults if fault.at_ms + fault.for_ms >= at_ms]
    down = sorted({node for fault in late if known[fault.kind].takes_down for node in fault.nodes})
    spare = max(0, len(nodes) - majority_of(nodes) - len(down))
    return down + rng.sample([node for node in nodes if node not in down], spare)


def _strikes_something(fault: Fault, kind: FaultKind) -> bool:
    """Whether the draw strikes something; a cluster may be too small for that."""
    aimed = fault.nodes or fault.grudge or fault.links or fault.target
    return bool(aimed) or (kind.applies_to == "messages" and fault.probability > 0)


def _in_turn(kinds: Sequence[FaultKind], rng: random.Random) -> Iterator[FaultKind]:
    while kinds:
        yield from rng.sample(kinds, len(kinds))


def draw_faults(
    rng: random.Random,
    nodes: Sequence[str],
    kinds: Sequence[str],
    time_limit_s: float,
    *,
    begin_by_s: float = math.inf,
    keep_majority: bool = False,
    steady_s: float | None = None,
    targets: Collection[str] = tuple(TARGETS),
) -> tuple[Fault, ...]:
    """Faults of these kinds and groups, by their names (see `registry`), drawn as by `Package.draw`.

    With `steady_s`, faults come one at a time: each lasts so long, and before it there is as long a pause.
    Raises: UnknownFault.
    """
    rhythm = Scattered() if steady_s is None else Steady(steady_s)
    package = Package(fault_kinds(kinds, rng, targets), rhythm)
    return package.draw(rng, nodes, time_limit_s, begin_by_s=begin_by_s, keep_majority=keep_majority)
