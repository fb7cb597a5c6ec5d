"""Faults as context managers: each does one thing, undoes it whatever happens, and counts what it did.

They overlap freely: links stay cut and machines stay down as long as any fault wants them so. Each gives an
`Underway`, whose `effect()` may be asked for at any time, also after the end.

    with partition(links, grudge.bridge(nodes)), paused(custody, ["n4"]) as pause:
        await trio.sleep(5)
    assert not pause.effect().is_inert
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from harness.nemesis.custody import Custody, How
from harness.nemesis.grudge import Grudge
from harness.plan import FAULT_KINDS, Fault

if TYPE_CHECKING:
    from harness.sim.link import Disturbance, FaultKind


class Counted(Protocol):
    """What a fault of the network hands out while it lasts."""

    @property
    def messages(self) -> int:
        """How many messages it has stopped or struck so far."""


CutT = TypeVar("CutT", bound=Counted)
DisturbedT = TypeVar("DisturbedT", bound=Counted)


class Links(Protocol[CutT, DisturbedT]):
    """What can be done to a network; the simulator's network is like this."""

    def cut(self, grudge: Grudge) -> CutT:
        """Drop what a grudge says, until this cut is mended."""

    def mend(self, cut: CutT) -> object:
        """End this cut and no other."""

    def disturb(self, disturbance: Disturbance) -> DisturbedT:
        """Let a disturbance of messages begin."""

    def settle(self, disturbed: DisturbedT) -> object:
        """End this disturbance and no other."""


class Effect(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fault has really done."""

    messages: int = 0
    """Messages that were stopped, delayed, duplicated, ..."""
    stopped: tuple[str, ...] = ()
    """Nodes whose running process was stopped or killed."""

    @property
    def is_inert(self) -> bool:
        """Whether it changed nothing: a trial is no evidence that such a fault would have been survived."""
        return not self.messages and not self.stopped


@dataclass(frozen=True, slots=True)
class Underway:
    """A fault that has begun, and perhaps ended."""

    effect: Callable[[], Effect]
    """What it has done so far."""


Enacted = AbstractContextManager[Underway]


@contextmanager
def partition(links: Links[CutT, Any], grudge: Grudge) -> Iterator[Underway]:
    """Nodes do not get what a grudge says they do not."""
    cut = links.cut(grudge)
    try:
        yield Underway(lambda: Effect(messages=cut.messages))
    finally:
        links.mend(cut)


def paused(custody: Custody, nodes: Collection[str]) -> Enacted:
    """Processes stand still, while time and the network go on."""
    return _held(custody, nodes, "pause")


def killed(custody: Custody, nodes: Collection[str]) -> Enacted:
    """Processes are killed, and started again at the end; their disks lose nothing."""
    return _held(custody, nodes, "kill")


def powerless(custody: Custody, nodes: Collection[str]) -> Enacted:
    """Machines lose their power, and with it what they had not synced; they start again at the end."""
    return _held(custody, nodes, "power_loss")


def delayed(
    links: Links[Any, Any],
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
) -> Enacted:
    """Some messages are late by `ms` on average, and so are those behind them."""
    return _disturbed(links, "delay", probability, ms, between)


def reordered(
    links: Links[Any, Any],
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
) -> Enacted:
    """Some messages are late by `ms` on average, and others overtake them."""
    return _disturbed(links, "reorder", probability, ms, between)


def dropped(
    links: Links[Any, Any], probability: float, between: Collection[tuple[str, str]] | None = None
) -> Enacted:
    """Some messages are lost."""
    return _disturbed(links, "drop", probability, 0.0, between)


def duplicated(
    links: Links[Any, Any],
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
) -> Enacted:
    """Some messages arrive twice, the copy late by `ms` on average."""
    return _disturbed(links, "duplicate", probability, ms, between)


def enact(fault: Fault, links: Links[Any, Any], custody: Custody) -> Enacted:
    """The fault that a plan describes; its times are the caller's affair.

    Raises: ValueError, when there is no such kind of fault.
    """
    between = fault.links or None
    match fault.kind:
        case "partition":
            return partition(links, fault.grudge)
        case "pause":
            return paused(custody, fault.nodes)
        case "kill":
            return killed(custody, fault.nodes)
        case "power_loss":
            return powerless(custody, fault.nodes)
        case "delay":
            return delayed(links, fault.probability, fault.ms, between)
        case "reorder":
            return reordered(links, fault.probability, fault.ms, between)
        case "drop":
            return dropped(links, fault.probability, between)
        case "duplicate":
            return duplicated(links, fault.probability, fault.ms, between)
    raise ValueError(f"a plan's fault is of kind {fault.kind!r}; known are {', '.join(FAULT_KINDS)}")


@contextmanager
def _held(custody: Custody, nodes: Iterable[str], how: How) -> Iterator[Underway]:
    stopped: list[str] = []
    with ExitStack() as undo:
        for node in sorted(set(nodes)):
            if custody.hold(node, how):
                stopped.append(node)
            undo.callback(custody.release, node, how)
        yield Underway(lambda: Effect(stopped=tuple(stopped)))


@contextmanager
def _disturbed(
    links: Links[Any, DisturbedT],
    kind: FaultKind,
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None,
) -> Iterator[Underway]:
    from harness.sim.link import Disturbance

    disturbed = links.disturb(Disturbance(kind, probability, ms, between))
    try:
        yield Underway(lambda: Effect(messages=disturbed.messages))
    finally:
        links.settle(disturbed)
