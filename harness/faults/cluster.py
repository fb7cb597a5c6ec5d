"""What faults act on: the network between nodes, and the nodes' machines.

Each substrate has its own network and machines. A network or a machine has only the interfaces that its
substrate supports: a fault that needs `Holding` or `Equipped` has no effect if the network or the machine
does not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Protocol, TypeVar, runtime_checkable

from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.faults.machine_control import Machine, MachineControl
from ostrakon.harness.plan import Fault
from ostrakon.harness.substrates.message_faults import Disturbance


class Counted(Protocol):
    """A fault of the network while it lasts."""

    @property
    def messages(self) -> int:
        """How many messages it has stopped or struck so far."""


class Disturbing(Counted, Protocol):
    """A disturbance of messages while it lasts."""

    @property
    def seen(self) -> int:
        """How many messages it could have struck so far, by their kind and link."""


CutT = TypeVar("CutT", bound=Counted)
DisturbedT = TypeVar("DisturbedT", bound=Disturbing)


class Links(Protocol[CutT, DisturbedT]):
    """A network whose links can be cut and disturbed."""

    def cut(self, grudge: Grudge) -> CutT:
        """Drop the messages that a grudge names, until this cut is mended."""

    def mend(self, cut: CutT) -> object:
        """End this cut and no other."""

    def disturb(self, disturbance: Disturbance) -> DisturbedT:
        """Let a disturbance of messages begin."""

    def settle(self, disturbed: DisturbedT) -> object:
        """End this disturbance and no other."""


@runtime_checkable
class Holding(Protocol):
    """A network whose messages can be kept back in flight."""

    def hold(self, links: Collection[tuple[str, str]]) -> Any:
        """Keep what goes from these senders to these receivers."""

    def release(self, hold: Any) -> object:
        """Let everything arrive that a hold has kept, in order."""


@runtime_checkable
class Resetting(Protocol):
    """A network with connections that can be broken."""

    def reset_connections(self, one: str, other: str) -> int:
        """Break every connection between two machines; returns how many."""


_ABSENT = object()
"""Marks an attribute that the object itself did not have."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a trial, as a fault sees it."""

    network: Links[Any, Any]
    machines: MachineControl
    kind_of: Callable[[Any], str] = lambda message: ""
    """The name that the workload has for the kind of a message."""
    _replaced: dict[tuple[int, str], list[Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        network: Links[Any, Any],
        machines: Mapping[str, Machine],
        kind_of: Callable[[Any], str] = lambda message: "",
    ) -> Cluster:
        """A cluster of these machines, before any fault has begun."""
        return cls(network, MachineControl(machines), kind_of)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return self.machines.names

    def machine(self, name: str) -> Any:
        """A node's machine as its substrate has it: in simulation a `harness.sim.machine.Machine`.

        Hold processes down through `machines` instead, so that faults that overlap do not undo each other.
        Raises: ValueError, when there is no such machine.
        """
        return self.machines.machine(name)

    @contextmanager
    def replaced(self, target: Any, attribute: str, value: Any) -> Iterator[None]:
        """Within this context, an attribute of an object is `value`.

        If several replacements overlap, the one that began last counts. When all have ended, in whatever
        order, the attribute is what it was before the first.
        """
        own: dict[str, Any] | None = getattr(target, "__dict__", None)
        is_own = own is None or attribute in own
        values = self._replaced.setdefault(
            (id(target), attribute), [getattr(target, attribute) if is_own else _ABSENT]
        )
        mine = [value]  # A list of its own, because two faults may put the same value in place.
        values.append(mine)
        setattr(target, attribute, value)
        try:
            yield
        finally:
            values[:] = [one for one in values if one is not mine]
            if len(values) > 1:
                setattr(target, attribute, values[-1][0])
            elif self._replaced.pop((id(target), attribute))[0] is _ABSENT:
                delattr(target, attribute)
            else:
                setattr(target, attribute, values[0])

    def links(self, fault: Fault) -> tuple[tuple[str, str], ...]:
        """The links that a fault names, as pairs of sender and receiver; all links if it names none."""
        return fault.links or tuple(permutations(self.nodes, 2))
