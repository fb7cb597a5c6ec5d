"""Faults of single messages: delayed, reordered, dropped, duplicated, corrupted, or throttled.

On connections with a framing that the workload names, these act on whole messages. On other TCP connections
they only delay data, as TCP would.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ostrakon.harness.faults.cluster import Cluster, Disturbing, Links
from ostrakon.harness.faults.draw import also, between, some_links, some_messages, some_pair
from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext
from ostrakon.harness.faults.kind import Apply, FaultKind, aim_at_links
from ostrakon.harness.plan import Fault
from ostrakon.harness.substrates.message_faults import Disturbance, MessageFaultKind

Pairs = Collection[tuple[str, str]] | None
"""Links as pairs of sender and receiver; None for all links between nodes."""


def delayed(links: Links[Any, Any], probability: float, ms: float, between: Pairs = None) -> FaultContext:
    """Some messages are delayed by `ms` on average, and so are the messages behind them."""
    return disturbed(links, "delay", probability, ms, between)


def reordered(links: Links[Any, Any], probability: float, ms: float, between: Pairs = None) -> FaultContext:
    """Some messages are delayed by `ms` on average, and later messages overtake them."""
    return disturbed(links, "reorder", probability, ms, between)


def dropped(links: Links[Any, Any], probability: float, between: Pairs = None) -> FaultContext:
    """Some messages are lost."""
    return disturbed(links, "drop", probability, 0.0, between)


def duplicated(links: Links[Any, Any], probability: float, ms: float, between: Pairs = None) -> FaultContext:
    """Some messages arrive twice; the copy is delayed by `ms` on average."""
    return disturbed(links, "duplicate", probability, ms, between)


def corrupted(links: Links[Any, Any], probability: float, between: Pairs = None) -> FaultContext:
    """Some messages arrive with one bit flipped."""
    return disturbed(links, "corrupt", probability, 0.0, between)


@contextmanager
def disturbed(
    links: Links[Any, Any],
    kind: MessageFaultKind,
    probability: float,
    ms: float,
    between: Pairs = None,
    **narrowed: Any,
) -> Iterator[ActiveFault]:
    """Some messages are struck as `kind` says.

    `narrowed` are `only`, `after` and `most` of `substrates.message_faults.Disturbance`.
    """
    struck: Disturbing = links.disturb(Disturbance(kind, probability, ms, between, **narrowed))
    try:
        yield ActiveFault(lambda: Effect(messages=struck.messages), lambda: _why_inert(struck))
    finally:
        links.settle(struck)


def _why_inert(struck: Disturbing) -> str:
    if struck.seen == 0:
        return "no message that it could strike was sent on its links"
    return (
        f"{struck.seen} messages that it could strike were sent on its links, and chance spared all of them"
    )


def _applied(kind: MessageFaultKind) -> Apply:
    def apply(fault: Fault, cluster: Cluster) -> FaultContext:
        only: Callable[[Any], bool] | None = None
        if fault.message:
            only = lambda message: cluster.kind_of(message) == fault.message  # noqa: E731 - closes over both
        return disturbed(
            cluster.network,
            kind,
            fault.probability,
            fault.ms,
            fault.links or None,
            only=only,
            after=fault.after,
            most=fault.most,
        )

    return apply


DELAY = FaultKind(
    "delay",
    "some messages are late",
    _applied("delay"),
    some_messages(300),
    applies_to="messages",
    aim=aim_at_links,
    ms_min=200,
    ms_max=2000,
    colour="delay",
    groups=("all",),
)
REORDER = replace(
    DELAY, name="reorder", about="some messages are overtaken", apply=_applied("reorder"), colour="reorder"
)
DROP = replace(
    DELAY,
    name="drop",
    about="some messages are lost",
    apply=_applied("drop"),
    draw=some_messages(0),
    colour="drop",
)
DUPLICATE = replace(
    DELAY,
    name="duplicate",
    about="some messages arrive twice",
    apply=_applied("duplicate"),
    colour="duplicate",
)
CORRUPT = replace(
    DELAY,
    name="corrupt",
    about="some messages have a bit turned",
    apply=_applied("corrupt"),
    draw=some_messages(0),
    colour="spoilt",
    groups=("unsafe",),
)
THROTTLE = replace(
    DELAY,
    name="throttle",
    about="links are narrow, and messages wait in line",
    apply=_applied("throttle"),
    draw=also(some_links, probability=lambda rng: 1.0, ms=between(10, 500, 1)),
    groups=("more",),
)

_LATE_PAIR = also(some_pair, ms=between(10, 1000, 1))
DROP_NEXT = replace(
    DROP,
    name="drop-next",
    variant_of="drop",
    about="one message on one link is lost",
    draw=some_pair,
    ms_min=50,
    ms_max=1000,
    groups=(),
)
DELAY_NEXT = replace(
    REORDER,
    name="delay-next",
    variant_of="reorder",
    about="one message on one link is overtaken by others",
    draw=_LATE_PAIR,
    ms_min=50,
    ms_max=1000,
    groups=(),
)
DUPLICATE_NEXT = replace(
    DUPLICATE,
    name="duplicate-next",
    variant_of="duplicate",
    about="one message on one link arrives twice",
    draw=_LATE_PAIR,
    ms_min=50,
    ms_max=1000,
    groups=(),
)
