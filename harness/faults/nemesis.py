"""The nemesis: applies the faults of a plan when its generator says so, and records what they did.

Its ops are always `info`. The op `start-<kind>` has the fault and an `id`; when it is complete, it also has
what the fault strikes, if that was not known before. The op `stop-<kind>` has the `id`; when it is complete,
it has what the fault did. The op `heal` ends every fault that is still open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec
from msgspec.structs import replace

from ostrakon.harness.faults.cluster import Cluster
from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext
from ostrakon.harness.faults.moment import OF_EVENT, Moments, aimed, idle
from ostrakon.harness.faults.registry import apply_fault, find_kind
from ostrakon.harness.faults.traffic import TRAFFIC, Traffic
from ostrakon.harness.generator import Generator, OpRequest, sequence
from ostrakon.harness.generator import nemesis as by_nemesis
from ostrakon.harness.history import Event, Op
from ostrakon.harness.plan import Fault


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """A fault that was begun, and what it has done."""

    fault: Fault
    effect: Effect
    why_inert: str = ""
    """The reason why it has done nothing; empty if it has done something or the fault cannot tell."""


class Nemesis:
    """Begins and ends faults. It is a context manager; when the context ends, every fault is over."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        find: Callable[[str], Sequence[str]] = lambda target: (),
        moments: Moments | None = None,
    ) -> None:
        """`find` finds the nodes that a fault's target means now; targets by traffic need none. `moments` is
        what faults wait by that wait for an event; without it, none of these has an effect.
        """
        self._cluster, self._find, self._moments = cluster, find, moments
        self._traffic = Traffic(cluster)
        self._begun: dict[int, tuple[Fault, ActiveFault]] = {}
        self._open: dict[int, tuple[str, FaultContext]] = {}
        self._begins = True

    async def apply(self, op: Op) -> Op:
        """Do what an op says, and return the completed op.

        Raises: ValueError, when the op is not one of a nemesis.
        """
        match op.f.partition("-"), op.value:
            case ("start", "-", kind), {"id": int(number), **fields} if number not in self._begun:
                fault = self._start(number, _fault(kind, fields))
                return replace(op, value={"id": number, **_plain(fault)}) if fault.target else op
            case ("stop", "-", _), {"id": int(number)} if number in self._begun:
                return replace(op, value={**op.value, **self._stop(number)})
            case ("heal", "", ""), _:
                return replace(op, value=self.heal())
        raise ValueError(
            f"the nemesis cannot do {op.f!r} with {op.value!r}: "
            "expected start-<kind> with a fault and a new id, "
            "stop-<kind> with the id of a fault that was started, or heal"
        )

    def begin_no_more(self) -> None:
        """Begin no further faults; the open ones end at their time."""
        self._begins = False

    def heal(self) -> list[dict[str, Any]]:
        """End every fault that is still open, the latest first; returns what each of them did."""
        return [
            {"id": number, "kind": self._open[number][0], **self._stop(number)}
            for number in reversed(self._open.copy())
        ]

    def revive(self, name: str) -> None:
        """Restart a node that stopped because of a fault, unless another fault holds it down."""
        self._cluster.machines.revive(name)

    @property
    def restarted(self) -> Sequence[str]:
        """The nodes in the order of their restarts; a node appears once for each restart."""
        return self._cluster.machines.restarted

    @property
    def applied(self) -> tuple[AppliedFault, ...]:
        """All faults that were begun, in that order, with what they have done so far."""
        return tuple(_applied(fault, active) for fault, active in self._begun.values())

    def __enter__(self) -> Nemesis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        # Through a stack, so that a fault that cannot be undone does not keep the others from it.
        with ExitStack() as undo:
            for _, context in self._open.values():
                undo.push(context)
        self._open.clear()

    def _start(self, number: int, fault: Fault) -> Fault:
        if fault.when:
            context: FaultContext = self._waiting(fault)
        else:
            self._traffic.look()
            fault = self._aimed(fault)
            context = self._applied(fault)
        self._begun[number] = fault, context.__enter__()
        self._open[number] = fault.kind, context
        return fault

    def _aimed(self, fault: Fault) -> Fault:
        """The fault with the nodes that its target means now."""
        if fault.target and (kind := find_kind(fault.kind)) is not None:
            find = self._traffic.find if fault.target in TRAFFIC else self._find
            return kind.aim(fault, find(fault.target), self._cluster.nodes)
        return fault

    def _waiting(self, fault: Fault) -> FaultContext:
        """The fault, which begins when its moment comes."""
        if self._moments is None:
            return idle("what nodes report is not known here while the trial runs")

        def begin(event: Event) -> FaultContext:
            kind = find_kind(fault.kind)
            if kind is None or fault.nodes or fault.links or fault.grudge:
                return self._applied(fault)
            if fault.target in OF_EVENT or not fault.target:
                return self._applied(aimed(fault, event, self._cluster.nodes, kind.aim))
            return self._applied(self._aimed(fault))

        return self._moments.wait(fault, begin)

    def _applied(self, fault: Fault) -> FaultContext:
        # A target that is no node, as when no node leads, must not be taken for all nodes.
        if not self._begins:
            return idle("it was left out")
        if _is_aimless(fault):
            return idle(f"no node was `{fault.target}` when it began")
        return apply_fault(fault, self._cluster)

    def _stop(self, number: int) -> dict[str, Any]:
        if number in self._open:
            _, context = self._open.pop(number)
            context.__exit__(None, None, None)
        effect = self._begun[number][1].effect()
        return {**_plain(effect), **({"inert": True} if effect.is_inert else {})}


def schedule(faults: Sequence[Fault]) -> Generator:
    """A generator that begins and ends each fault at its time and, after the last, heals."""
    moments = []
    for number, fault in enumerate(faults):
        end_ms = fault.at_ms + fault.for_ms
        moments.append((fault.at_ms, 1, start(number, fault)))
        moments.append((end_ms, 2 if fault.for_ms == 0 else 0, stop(number, fault)))
    # At the same instant what ends makes room for what begins, unless it is one and the same fault.
    moments.sort(key=lambda moment: moment[:2])
    requests = [request for _, _, request in moments]
    if not requests:
        return sequence()
    return by_nemesis(sequence(*requests, OpRequest("heal", time_ns=requests[-1].time_ns)))


def start(number: int, fault: Fault) -> OpRequest:
    """The op that begins a fault."""
    return OpRequest(
        f"start-{fault.kind}",
        {"id": number, **_plain(fault)},
        time_ns=fault.at_ms * 1_000_000,
    )


def stop(number: int, fault: Fault) -> OpRequest:
    """The op that ends it."""
    return OpRequest(
        f"stop-{fault.kind}",
        {"id": number},
        time_ns=(fault.at_ms + fault.for_ms) * 1_000_000,
    )


def _applied(fault: Fault, active: ActiveFault) -> AppliedFault:
    effect = active.effect()
    return AppliedFault(fault, effect, active.why_inert() if effect.is_inert else "")


def _is_aimless(fault: Fault) -> bool:
    return bool(fault.target) and not (fault.nodes or fault.grudge or fault.links)


def _fault(kind: str, fields: Mapping[Any, Any]) -> Fault:
    try:
        return msgspec.convert({"at_ms": 0, "for_ms": 0, **fields, "kind": kind}, Fault)
    except msgspec.ValidationError as error:
        raise ValueError(f"{kind} with {dict(fields)} is not a fault: {error}") from None


def _plain(data: Fault | Effect) -> dict[str, Any]:
    """The data as someone who reads the history file gets them."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(data))
    return plain
