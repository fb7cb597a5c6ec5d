"""Faults as context managers: each does one thing, undoes it whatever happens, and counts what it did.

They overlap freely: links stay cut and machines stay down as long as any fault wants them so. Each gives an
`ActiveFault`, whose `effect()` may be asked for at any time, also after the end.

    with partition(links, grudge.bridge(nodes)), paused(machines, ["n4"]) as pause:
        await trio.sleep(5)
    assert not pause.effect().is_inert
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext, settled
from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.faults.machine_control import How, MachineControl

if TYPE_CHECKING:
    from ostrakon.harness.substrates.message_faults import Disturbance, MessageFaultKind


class Counted(Protocol):
    """What a fault of the network hands out while it lasts."""

    @property
    def messages(self) -> int:
        """How many messages it has stopped or struck so far."""


Only = Callable[[Any], bool]
"""Whether a message is of a kind that a fault is about."""

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


@runtime_checkable
class Resetting(Protocol):
    """A network with connections that can be broken; on one that is not like this none are."""

    def reset_connections(self, one: str, other: str) -> int:
        """Break every connection between two machines; returns how many."""


@contextmanager
def nothing() -> Iterator[ActiveFault]:
    """What a fault comes to that strikes nobody."""
    yield ActiveFault(Effect)


@contextmanager
def partition(links: Links[CutT, Any], grudge: Grudge) -> Iterator[ActiveFault]:
    """Nodes do not get what a grudge says they do not."""
    cut = links.cut(grudge)
    try:
        yield ActiveFault(lambda: Effect(messages=cut.messages))
    finally:
        links.mend(cut)


def paused(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """Processes stand still, while time and the network go on."""
    return held(machines, nodes, "pause")


def killed(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """Processes are killed, and started again at the end; their disks lose nothing."""
    return held(machines, nodes, "kill")


def powerless(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """Machines lose their power, and with it what they had not synced; they start again at the end."""
    return held(machines, nodes, "power_loss")


def delayed(
    links: Links[Any, Any],
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
) -> FaultContext:
    """Some messages are late by `ms` on average, and so are those behind them."""
    return disturbed(links, "delay", probability, ms, between)


def reordered(
    links: Links[Any, Any],
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
) -> FaultContext:
    """Some messages are late by `ms` on average, and others overtake them."""
    return disturbed(links, "reorder", probability, ms, between)


def dropped(
    links: Links[Any, Any], probability: float, between: Collection[tuple[str, str]] | None = None
) -> FaultContext:
    """Some messages are lost."""
    return disturbed(links, "drop", probability, 0.0, between)


def duplicated(
    links: Links[Any, Any],
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
) -> FaultContext:
    """Some messages arrive twice, the copy late by `ms` on average."""
    return disturbed(links, "duplicate", probability, ms, between)


def corrupted(
    links: Links[Any, Any], probability: float, between: Collection[tuple[str, str]] | None = None
) -> FaultContext:
    """Some messages arrive with a bit turned."""
    return disturbed(links, "corrupt", probability, 0.0, between)


@contextmanager
def clogged(links: Links[Any, Any], between: Collection[tuple[str, str]]) -> Iterator[ActiveFault]:
    """Nothing arrives, and nothing is lost: at the end it all arrives at once, in order."""
    if not isinstance(links, Holding):
        yield ActiveFault(Effect)
        return
    hold = links.hold(between)
    try:
        yield ActiveFault(lambda: Effect(messages=hold.messages))
    finally:
        links.release(hold)


@contextmanager
def held(machines: MachineControl, nodes: Iterable[str], how: How) -> Iterator[ActiveFault]:
    """Machines are paused, killed or without power until the end."""
    struck: list[str] = []
    with ExitStack() as undo:
        for node in sorted(set(nodes)):
            if machines.hold(node, how):
                struck.append(node)
            undo.callback(machines.release, node, how)
        yield ActiveFault(lambda: Effect(stopped=tuple(struck)))


@contextmanager
def stopped(machines: MachineControl, nodes: Iterable[str]) -> Iterator[ActiveFault]:
    """Processes are told to end (SIGTERM), and take their time; they are started again at the end."""
    asked = [node for node in sorted(set(nodes)) if machines.is_running(node)]
    with ExitStack() as undo:
        for node in sorted(set(nodes)):
            machines.hold(node, "stop")
            undo.callback(machines.release, node, "stop")
        yield settled(undo, lambda: Effect(stopped=tuple(n for n in asked if not machines.is_running(n))))


@contextmanager
def reset(links: Links[Any, Any], between: Collection[tuple[str, str]]) -> Iterator[ActiveFault]:
    """Connections between these nodes break, once; they may be made anew at once."""
    pairs = sorted({(min(pair), max(pair)) for pair in between})
    broken = 0
    if isinstance(links, Resetting):
        broken = sum(links.reset_connections(*pair) for pair in pairs)
    yield ActiveFault(lambda: Effect(connections=broken))


@contextmanager
def disturbed(
    links: Links[Any, DisturbedT],
    kind: MessageFaultKind,
    probability: float,
    ms: float,
    between: Collection[tuple[str, str]] | None = None,
    *,
    only: Only | None = None,
    after: int = 0,
    most: int = 0,
) -> Iterator[ActiveFault]:
    """Some messages fare as `kind` says: see `sim.link.Disturbance`, which has the same fields."""
    from ostrakon.harness.substrates.message_faults import Disturbance

    struck = links.disturb(Disturbance(kind, probability, ms, between, only, after, most))
    try:
        yield ActiveFault(lambda: Effect(messages=struck.messages))
    finally:
        links.settle(struck)
