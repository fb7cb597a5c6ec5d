"""Memory that runs out: the kernel kills a process of the node, as it does where memory is limited."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, runtime_checkable

from ostrakon.harness.faults.draw import victims
from ostrakon.harness.faults.effect import ActiveFault, Effect, settled
from ostrakon.harness.faults.kind import FaultKind
from ostrakon.harness.faults.machine_control import MachineControl


class Memory(Protocol):
    """What the fault can do to the memory of a machine."""

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed because there was no memory left."""

    def limit(self) -> object:
        """Allow the machine no more memory than it uses now."""

    def lift(self) -> object:
        """End one such limit."""


@runtime_checkable
class Limited(Protocol):
    """A machine whose memory can be limited."""

    @property
    def memory(self) -> Memory | None:
        """Its memory; None if it cannot be limited in this trial."""


@contextmanager
def out_of_memory(machines: MachineControl, nodes: Collection[str]) -> Iterator[ActiveFault]:
    """Nodes get no more memory than they use when the fault begins. The kernel kills a process that needs
    more."""
    found = {name: machines.machine(name) for name in sorted(set(nodes))}
    memories = {name: one.memory for name, one in found.items() if isinstance(one, Limited) and one.memory}
    before = {name: memory.kills for name, memory in memories.items()}

    def effect() -> Effect:
        return Effect(other={"oom_kills": sum(memories[name].kills - before[name] for name in memories)})

    def why_inert() -> str:
        told = machines.idle(memories, "needed no more memory")
        return told or "the memory of these machines cannot be limited"

    with ExitStack() as undo:
        for memory in memories.values():
            memory.limit()
            undo.callback(memory.lift)
        yield settled(undo, effect, why_inert)


OOM = FaultKind(
    "oom",
    "nodes get no more memory than they have, and the kernel kills what needs more",
    lambda fault, cluster: out_of_memory(cluster.machines, fault.nodes),
    victims,
    ms_min=500,
    ms_max=3000,
    colour="kill",
    downtime="possible",
    substrates=("hosts",),
)
