"""What shrinking cannot reach by leaving out: the same failure among few nodes, sought among all there is.

A cluster of five fails in ways that no three of its nodes do, and three nodes, or four, may still fail in
another way for the same reason. Where a workload can explore small worlds, the shortest of these ways is
proposed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from ostrakon.harness.model import CannotExplore, Size
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Workload

WORLDS = (Size(), Size(proposers=1, acceptors=4, timeouts=1), Size(crashes=1), Size(timeouts=1))
"""Where it is sought, one after the other, the smallest worlds first."""
_STATES_MAX = 20_000


def small_world_plans(plan: Plan, workload: Workload, properties: Sequence[str]) -> Iterator[Plan]:
    """Plans on a plan's substrate, of fewer nodes than it has, that break the last of these properties.

    What harms most is named first, and mostly follows from the others.
    """
    explore = workload.explore
    if explore is None or not properties:
        return
    for size in (size for size in WORLDS if size.acceptors < plan.nodes):
        try:
            found = explore(
                size, bug=plan.bug, only=tuple(properties[-1:]), states_max=_STATES_MAX, note=None
            )
        except CannotExplore:  # A property that small worlds do not know.
            return
        smaller = found.plan if plan.substrate == "model" else found.simulation
        if smaller is not None:
            yield replace(smaller, substrate=plan.substrate, code=plan.code)


def broken_properties(anomalies: Sequence[dict[str, Any]], reason: str) -> tuple[str, ...]:
    """The properties that the anomalies which a failure is named after are about."""
    found = (str(anomaly["property"]) for anomaly in anomalies if anomaly.get("property"))
    return tuple(dict.fromkeys(name for name in found if name in reason.split()))
