"""Faults of processes: they are paused, told to stop, killed, or their machine loses its power.

What was struck runs again when the fault ends. Overlapping faults do not undo each other; see
`machine_control`.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from msgspec.structs import replace as replace_fields

from ostrakon.harness.faults.draw import victims
from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext, settled
from ostrakon.harness.faults.kind import FaultKind
from ostrakon.harness.faults.machine_control import How, MachineControl
from ostrakon.harness.plan import Fault


def paused(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """Processes stand still, while time and the network go on."""
    return held(machines, nodes, "pause")


def killed(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """Processes are killed, and started again at the end; their disks lose nothing."""
    return held(machines, nodes, "kill")


def powerless(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """Machines lose their power, and with it all data that were not synced. They start again at the end."""
    return held(machines, nodes, "power_loss")


@contextmanager
def held(machines: MachineControl, nodes: Iterable[str], how: How) -> Iterator[ActiveFault]:
    """Machines are paused, killed or without power until the end."""
    struck: list[str] = []
    spared: list[str] = []
    with ExitStack() as undo:
        for node in sorted(set(nodes)):
            state = machines.state(node)
            if machines.hold(node, how):
                struck.append(node)
            else:
                spared.append(f"{node} {state or 'could not be struck'}")
            undo.callback(machines.release, node, how)
        yield ActiveFault(lambda: Effect(stopped=tuple(struck)), lambda: ", ".join(spared))


@contextmanager
def stopped(machines: MachineControl, nodes: Iterable[str]) -> Iterator[ActiveFault]:
    """Processes get SIGTERM and may take their time to end. They are started again at the end."""
    states = {node: machines.state(node) for node in sorted(set(nodes))}
    running = [node for node in states if machines.is_running(node)]

    def why_inert() -> str:
        idle = [f"{node} {state}" for node, state in states.items() if node not in running]
        return ", ".join([*idle, *(f"{node} did not stop" for node in running)])

    with ExitStack() as undo:
        for node in states:
            machines.hold(node, "stop")
            undo.callback(machines.release, node, "stop")
        yield settled(
            undo, lambda: Effect(stopped=tuple(n for n in running if not machines.is_running(n))), why_inert
        )


def restart_loop(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Nodes are killed and restarted again and again, until the fault is over."""
    return list(again_and_again(fault, max(2, round(fault.for_ms / rng.uniform(2, 12)))))


def starve(fault: Fault, rng: random.Random) -> Sequence[Fault]:
    """Nodes stand still for most of each tenth of a second and run for the rest, until the fault is over."""
    period_ms = max(2, min(100, fault.for_ms // 2))
    still_ms = max(1, round(period_ms * rng.uniform(0.6, 0.95)))
    beginnings = range(fault.at_ms, fault.at_ms + fault.for_ms - still_ms + 1, period_ms)
    return [replace_fields(fault, at_ms=at_ms, for_ms=still_ms) for at_ms in beginnings]


def again_and_again(fault: Fault, period_ms: int) -> Iterator[Fault]:
    """The fault during the first half of each period, as often as it fits into the time of the fault."""
    for begin in range(0, fault.for_ms - period_ms // 2 + 1, period_ms):
        yield replace_fields(fault, at_ms=fault.at_ms + begin, for_ms=max(1, period_ms // 2))


PAUSE = FaultKind(
    "pause",
    "processes stand still (SIGSTOP) and go on",
    lambda fault, cluster: paused(cluster.machines, fault.nodes),
    victims,
    colour="pause",
    downtime="throughout",
    groups=("all",),
)
STARVE = replace(
    PAUSE,
    name="starve",
    variant_of="pause",
    about="processes get little of the processor: they stand still for most of the time",
    expand=starve,
    ms_min=500,
    groups=(),
)
KILL = FaultKind(
    "kill",
    "processes are killed (SIGKILL) and restarted",
    lambda fault, cluster: killed(cluster.machines, fault.nodes),
    victims,
    colour="kill",
    downtime="throughout",
    groups=("all",),
)
RESTART_LOOP = replace(
    KILL,
    name="restart-loop",
    variant_of="kill",
    about="processes are killed and restarted again and again",
    expand=restart_loop,
    ms_min=200,
    groups=(),
)
POWER_LOSS = FaultKind(
    "power_loss",
    "machines lose power and what was not synced",
    lambda fault, cluster: powerless(cluster.machines, fault.nodes),
    victims,
    colour="power_loss",
    downtime="throughout",
    substrates=("model", "sim"),
    groups=("all",),
)
STOP = FaultKind(
    "stop",
    "processes are told to stop (SIGTERM) and restarted",
    lambda fault, cluster: stopped(cluster.machines, fault.nodes),
    victims,
    colour="kill",
    downtime="throughout",
    groups=("more",),
)
