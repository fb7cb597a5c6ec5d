"""A kind of fault: how faults of the kind are drawn, aimed, applied, undone and shown.

Each kind is a value of `FaultKind` in a file of its own subject. Another package can add kinds under the
entry point group `ostrakon.faults`; `registry` finds them. "A fault of your own" in docs/nemesis.md lists the
steps.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import permutations
from typing import Any, Literal

from msgspec.structs import replace

from ostrakon.harness.faults.cluster import Cluster
from ostrakon.harness.faults.effect import FaultContext
from ostrakon.harness.plan import Fault, Substrate

Apply = Callable[[Fault, Cluster], FaultContext]
"""Begins a fault of a plan; leaving the context undoes it."""
Draw = Callable[[Sequence[str], random.Random], Mapping[str, Any]]
"""Given the nodes that may be struck, the fields of a `Fault` that say what it strikes and how hard."""
Aim = Callable[[Fault, Sequence[str], Sequence[str]], Fault]
"""Given a fault, the nodes to strike and all nodes: the fault with `nodes`, `links` or `grudge` filled in."""
Expand = Callable[[Fault, random.Random], Sequence[Fault]]
"""Turns one drawn fault into the faults it consists of: within its time, in order."""
Downtime = Literal["none", "possible", "throughout"]

SUBSTRATES: tuple[Substrate, ...] = ("model", "sim", "live", "hosts")
COLOURS = (
    *("partition", "pause", "kill", "power_loss", "delay", "reorder", "drop", "duplicate", "clog"),
    *("clock", "disk", "spoilt", "other"),
)
"""The colours of faults in reports. Each has the name of the first fault that had it."""


def aim_at_nodes(fault: Fault, struck: Sequence[str], nodes: Sequence[str]) -> Fault:
    """The nodes themselves."""
    return replace(fault, nodes=tuple(node for node in nodes if node in struck))


def aim_at_links(fault: Fault, struck: Sequence[str], nodes: Sequence[str]) -> Fault:
    """All links from and to the nodes."""
    pairs = sorted(permutations(nodes, 2))
    return replace(fault, links=tuple(pair for pair in pairs if set(struck).intersection(pair)))


def unexpanded(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """The fault alone."""
    return (fault,)


def no_negative_ms(fault: Fault) -> Iterator[str]:
    """A problem if the fault has a negative number of milliseconds: only a clock can be set back."""
    if fault.ms < 0:
        yield f"has ms {fault.ms}, expected 0 or more"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault, or a variant of one.

    A kind is what `Fault.kind` of a plan names. A variant has a name of its own for `--nemesis` and its own
    way to be drawn, and is then a fault of the kind `variant_of`: `halves` is a variant of `partition`.
    Make it with `dataclasses.replace`.

    Example, in a package that offers `lose_dns = "my_package.faults:LOSE_DNS"` in the group
    `ostrakon.faults`::

        @contextmanager
        def lost_names(fault: Fault, cluster: Cluster) -> Iterator[ActiveFault]:
            resolvers = [cluster.machine(name).resolver for name in fault.nodes]
            with ExitStack() as undo:
                ...
                yield ActiveFault(lambda: Effect(other={"lookups": ...}))

        LOSE_DNS = FaultKind("lose_dns", "names cannot be resolved", lost_names, victims, substrates=("sim",))
    """

    name: str
    about: str
    """One line for people."""
    apply: Apply
    draw: Draw
    _: KW_ONLY
    applies_to: Literal["nodes", "links", "messages"] = "nodes"
    """What it strikes. A fault of `messages` that names no links strikes on all links between nodes; others
    need something to strike."""
    aim: Aim = aim_at_nodes
    """How it is aimed at nodes that are known only when it begins."""
    draw_aimed: Draw | None = None
    """How the other fields are drawn when it is aimed at such nodes; None: as `draw` does."""
    ms_min: int = 50
    ms_max: int = 1500
    """How long it lasts: long enough for timeouts to fire, short enough for the cluster to recover."""
    expand: Expand = unexpanded
    problems: Callable[[Fault], Iterator[str]] = no_negative_ms
    """What is wrong with the fields of a fault of a plan, each as a predicate: "has ms -1, expected ..."."""
    colour: str = "other"
    """Its colour in reports, one of `COLOURS`; similar kinds share one."""
    downtime: Downtime = "none"
    """Whether struck nodes are down or stand still: never, for a part of its time, or for all of it."""
    substrates: tuple[Substrate, ...] = SUBSTRATES
    """Where it can act."""
    groups: tuple[str, ...] = ()
    """The groups of `--nemesis` that draw it; see `registry.GROUPS`."""
    variant_of: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_:-]*", self.name):
            raise ValueError(
                f"a fault cannot be called {self.name!r}: expected small letters, digits, _ and -"
            )
        if self.colour not in COLOURS:
            raise ValueError(
                f"the fault {self.name!r} has the colour {self.colour!r}; there are {', '.join(COLOURS)}"
            )

    @property
    def kind(self) -> str:
        """What `Fault.kind` is for faults drawn by it."""
        return self.variant_of or self.name

    @property
    def takes_down(self) -> bool:
        """Whether struck nodes may not answer while it lasts."""
        return self.downtime != "none"
