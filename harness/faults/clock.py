"""Faults of clocks: they run fast or slow, are set forward or back, or stop while the machine sleeps."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ostrakon.harness.faults.devices import Frozen, Skew
from ostrakon.harness.faults.draw import also, between, either_way, victims
from ostrakon.harness.faults.effect import ActiveFault, Effect, settled
from ostrakon.harness.faults.kind import FaultKind
from ostrakon.harness.faults.machine_control import MachineControl
from ostrakon.harness.faults.process import again_and_again, held
from ostrakon.harness.plan import Fault

_NO_CLOCKS = "the machines of this substrate have no clocks of their own"


@contextmanager
def skewed(machines: MachineControl, nodes: Collection[str], rate: float) -> Iterator[ActiveFault]:
    """Clocks run fast or slow. At the end they keep what they have gained or lost."""
    struck = machines.equipped(nodes)
    before = {name: machine.progress for name, machine in struck.items()}

    def effect() -> Effect:
        return Effect(clocks=tuple(name for name in struck if struck[name].progress != before[name]))

    with machines.impaired(struck, Skew(rate)) as undo:
        yield settled(undo, effect, lambda: _idle(machines, struck, "did not run while it lasted"))


@contextmanager
def jumped(machines: MachineControl, nodes: Collection[str], ms: float) -> Iterator[ActiveFault]:
    """Wall clocks are set forward or back, and are right again at the end; monotonic clocks do not change."""
    clocks = {name: machines.devices(name).clock for name in machines.equipped(nodes)}
    before = {name: clock.wall_readings for name, clock in clocks.items()}

    def effect() -> Effect:
        return Effect(clocks=tuple(name for name in clocks if clocks[name].wall_readings != before[name]))

    with ExitStack() as undo:
        for clock in clocks.values():
            clock.step(ms / 1e3)
            undo.callback(clock.step, -ms / 1e3)
        yield settled(undo, effect, lambda: _idle(machines, clocks, "did not ask for the wall-clock time"))


@contextmanager
def suspended(machines: MachineControl, nodes: Collection[str]) -> Iterator[ActiveFault]:
    """Machines sleep: processes and their monotonic clocks stand still. Their timeouts fire later by that
    time, while leases and timeouts of other machines go on. Wall clocks are right again at the end."""
    with held(machines, nodes, "pause") as active, machines.impaired(machines.equipped(nodes), Frozen()):
        yield active


def _idle(machines: MachineControl, names: Collection[str], what: str) -> str:
    return machines.idle(names, what) or _NO_CLOCKS


def strobe(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Clocks jump forward and back again, until the fault is over."""
    return list(again_and_again(fault, max(2, round(fault.for_ms / rng.uniform(2, 12)))))


CLOCK_SKEW = FaultKind(
    "clock_skew",
    "clocks run up to ten times too fast or too slow",
    lambda fault, cluster: skewed(cluster.machines, fault.nodes, fault.rate),
    also(victims, rate=between(0.1, 10, 2)),
    ms_min=200,
    ms_max=2000,
    colour="clock",
    substrates=("model", "sim"),
    groups=("clocks",),
)
CLOCK_JUMP = FaultKind(
    "clock_jump",
    "wall clocks are set forward, or back",
    lambda fault, cluster: jumped(cluster.machines, fault.nodes, fault.ms),
    also(victims, ms=either_way(1, 100_000)),
    ms_max=2000,
    problems=lambda fault: iter(()),  # A clock may be set back.
    colour="clock",
    substrates=("model", "sim", "hosts"),
    groups=("clocks",),
)
STROBE = replace(
    CLOCK_JUMP,
    name="strobe",
    variant_of="clock_jump",
    about="wall clocks jump there and back many times",
    expand=strobe,
    ms_max=500,
    groups=(),
)
SUSPEND = FaultKind(
    "suspend",
    "machines sleep and wake: processes stand still, and so do their monotonic clocks",
    lambda fault, cluster: suspended(cluster.machines, fault.nodes),
    victims,
    ms_max=2000,
    colour="clock",
    downtime="throughout",
    substrates=("model", "sim"),
    groups=("clocks",),
)
