"""Why one transaction must come before another: the kinds of edges, and the cycles they may not form.

Adya's thesis ("Weak Consistency", 1999, chapter 3) names the dependencies and the cycles; Elle (VLDB 2020)
adds the variants that need the order of a process or real time. A kind is a small integer of bits, so that
millions of edges fit into flat arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

VIA = 0
"""Out of a node that only bundles edges: the edge into that node said why."""
WW = 1
"""Write depends: the later transaction overwrote the earlier one's version."""
WR = 2
"""Read depends: the later one read what the earlier one wrote."""
RW = 4
"""Anti-depends: the earlier one read a version that the later one overwrote."""
RW_PREDICATE = 8
"""Anti-depends on a predicate: the later one changed what the earlier one's predicate matched."""
PROCESS = 16
"""The same process ran the one before the other."""
REALTIME = 32
"""The one was complete before the other was invoked."""
BY_PROCESS = 64
"""Added to WW or RW: the order of the versions is known only from what one process saw, and when."""
BY_REALTIME = 128
"""Added to WW or RW: the order of the versions is known only from real time."""

BY_TIME = BY_PROCESS | BY_REALTIME
"""That order follows from what was read, and when: models that let reads be stale do not know it."""
ANTI = RW | RW_PREDICATE
DEPENDENCY = WW | WR | ANTI

Suffix = Literal["", "-process", "-realtime"]
SUFFIXES: tuple[Suffix, ...] = ("", "-process", "-realtime")
_ADDED: dict[Suffix, int] = {
    "": 0,
    "-process": PROCESS | BY_PROCESS,
    "-realtime": PROCESS | BY_PROCESS | REALTIME | BY_REALTIME,
}
_NEEDED: dict[Suffix, int] = {
    "": 0,
    "-process": PROCESS | BY_PROCESS,
    "-realtime": REALTIME | BY_REALTIME,
}


@dataclass(frozen=True, slots=True)
class CycleType:
    """A kind of cycle, as data that the search interprets."""

    core: str
    suffix: Suffix
    first: int
    """The kind of at least one edge; the search starts there."""
    dependencies: int
    """The kinds of dependencies that the cycle may have."""
    anti: Literal["none", "one", "apart", "several", "any"]
    """How many anti-dependencies: none, exactly one, several but no two adjacent, several, or any."""
    predicate: bool = False
    """Whether one of them must be on a predicate."""

    @property
    def name(self) -> str:
        """Such as "G-single-item-realtime"."""
        return self.core + self.suffix

    @property
    def legal(self) -> int:
        """All bits that an edge of the cycle may have."""
        added = _ADDED[self.suffix]
        return self.dependencies | (added & ~BY_TIME if self.anti == "none" else added)

    @property
    def needed(self) -> int:
        """Bits of which some edge must have one; 0 if there is no such demand."""
        return 0 if self.anti == "any" else _NEEDED[self.suffix] & self.legal


def _types(suffix: Suffix) -> tuple[CycleType, ...]:
    flow, item = WW | WR, WW | WR | RW
    return (
        CycleType("G0", suffix, WW, WW, "none"),
        CycleType("G1c", suffix, WR, flow, "none"),
        CycleType("G-single-item", suffix, RW, item, "one"),
        CycleType("G-single", suffix, ANTI, DEPENDENCY, "one", predicate=True),
        CycleType("G-nonadjacent-item", suffix, RW, item, "apart"),
        CycleType("G-nonadjacent", suffix, ANTI, DEPENDENCY, "apart", predicate=True),
        CycleType("G2-item", suffix, RW, item, "several"),
        CycleType("G2", suffix, ANTI, DEPENDENCY, "several", predicate=True),
    )


ANY_CYCLE = CycleType("cycle", "-realtime", DEPENDENCY, DEPENDENCY, "any")
"""What to look for when it is enough to find anything."""

CYCLE_TYPES: dict[Suffix, tuple[CycleType, ...]] = {suffix: _types(suffix) for suffix in SUFFIXES}
"""The 24 types, the gravest first within each suffix."""


ALL_CYCLES = frozenset(wanted.name for types in CYCLE_TYPES.values() for wanted in types)
"""The names of the 24 types."""


def type_of(kinds: Sequence[int]) -> str:
    """The name of the cycle that has edges of these kinds, in this order."""
    anti = [bool(kind & ANTI) for kind in kinds]
    item = "" if any(kind & RW_PREDICATE for kind in kinds) else "-item"
    suffix = next((s for s in reversed(SUFFIXES) if any(kind & _NEEDED[s] for kind in kinds)), "")
    match sum(anti):
        case 0:
            core = "G1c" if any(kind & WR for kind in kinds) else "G0"
        case 1:
            core = "G-single" + item
        case _ if any(one and other for one, other in zip(anti, [*anti[1:], anti[0]], strict=True)):
            core = "G2" + item
        case _:
            core = "G-nonadjacent" + item
    return core + suffix


def added_by(suffix: Suffix) -> int:
    """The bits that may be among a cycle's edges because of its suffix."""
    return _ADDED[suffix]


def kind_name(kind: int) -> str:
    """How an edge is labelled in a drawing: "ww", "rw", "realtime", ..."""
    names = {WW: "ww", WR: "wr", RW: "rw", RW_PREDICATE: "rw-predicate", PROCESS: "process"}
    return names.get(kind & ~(BY_PROCESS | BY_REALTIME), "realtime")
