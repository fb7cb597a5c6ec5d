"""Reset connections: they break once, when the fault begins, and nodes may connect again at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from ostrakon.harness.faults.cluster import Links, Resetting
from ostrakon.harness.faults.draw import some_links
from ostrakon.harness.faults.effect import ActiveFault, Effect
from ostrakon.harness.faults.kind import FaultKind, aim_at_links


@contextmanager
def reset(links: Links[Any, Any], between: Collection[tuple[str, str]]) -> Iterator[ActiveFault]:
    """Break every connection between these nodes, once."""
    pairs = sorted({(min(pair), max(pair)) for pair in between})
    if not isinstance(links, Resetting):
        yield ActiveFault(Effect, lambda: "this network has no connections")
        return
    broken = sum(links.reset_connections(*pair) for pair in pairs)
    which = "that link" if len(pairs) == 1 else "its links"
    yield ActiveFault(lambda: Effect(connections=broken), lambda: f"no connection was open on {which}")


RESET = FaultKind(
    "reset",
    "connections between nodes are reset",
    lambda fault, cluster: reset(cluster.network, cluster.links(fault)),
    some_links,
    applies_to="links",
    aim=aim_at_links,
    ms_min=1,
    ms_max=1,
    colour="drop",
    substrates=("sim", "live", "hosts"),
    groups=("more",),
)
