"""Drawing the faults of a trial by the names of their kinds, from one source of randomness."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Sequence

from ostrakon.harness.faults.kinds import fault_kinds
from ostrakon.harness.faults.package import Package, Scattered, Steady
from ostrakon.harness.faults.target import TARGETS
from ostrakon.harness.plan import Fault


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
    """Faults of these kinds (names of `FAULTS` or `GROUPS`, or with a target), as `Package.draw` has them.

    With `steady_s`, there is one at a time: each lasts so long, and before it all is well for as long.

    Raises: UnknownFault.
    """
    rhythm = Scattered() if steady_s is None else Steady(steady_s)
    package = Package(fault_kinds(kinds, rng, targets), rhythm)
    return package.draw(rng, nodes, time_limit_s, begin_by_s=begin_by_s, keep_majority=keep_majority)
