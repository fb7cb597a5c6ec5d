"""Faults as context managers: each does one thing, undoes it whatever happens, and counts what it did.

They overlap freely: links stay cut and machines stay down as long as any fault wants them so. Each gives an
`Underway`, whose `effect()` may be asked for at any time, also after the end.

    with partition(links, grudge.bridge(nodes)), paused(custody, ["n4"]) as pause:
        await trio.sleep(5)
    assert not pause.effect().is_inert
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from harness.nemesis.custody import Custody, How
from harness.nemesis.effect import Effect, Enacted, Underway
from harness.nemesis.grudge import Grudge

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


@runtime_checkable
class Holding(Protocol):
    """A network whose messages can be kept back in flight; one that is not like this is never clogged."""

    def hold(self, links: Collection[tuple[str, str]]) -> Any:
        """Keep what goes from these senders to these receivers."""

    def release(self, hold: Any) -> object:
        """Let everything arrive that a hold has kept, in order."""


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


def corrupted(
    links: Links[Any, Any], probability: float, between: Collection[tuple[str, str]] | None = None
) -> Enacted:
    """Some messages arrive with a bit turned."""
    return _disturbed(links, "corrupt", probability, 0.0, between)


@contextmanager
def clogged(links: Links[Any, Any], between: Collection[tuple[str, str]]) -> Iterator[Underway]:
    """Nothing arrives, and nothing is lost: at the end it all arrives at once, in order."""
    if not isinstance(links, Holding):
        yield Underway(Effect)
        return
    hold = links.hold(between)
    try:
        yield Underway(lambda: Effect(messages=hold.messages))
    finally:
        links.release(hold)


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
