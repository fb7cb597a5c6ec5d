"""Replicas of the log under a random schedule, and the trace of what they did."""

from __future__ import annotations

import random

import msgspec

from ostrakon.harness.history import Event, Trace
from ostrakon.paxos_impl.core.multi import Effect, LogRules, Send, trace_event
from tests.paxos_impl.core.multi.log_world import NEVER, OFTEN, LogWorld, disturb


def replicas_trace(seed: int, rules: LogRules, *, steps: int = 300, changes: bool = False) -> Trace:
    """What happens in so many steps, equal for equal seeds; with `changes`, members come and go."""
    rng = random.Random(seed)
    members = (1, 2, 3) if changes or seed % 3 else (1, 2, 3, 4, 5)
    world = _TracedWorld(members, rules, OFTEN if seed % 2 else NEVER)
    disturb(world, rng, steps, changes=changes)
    return tuple(world.trace)


class _TracedWorld(LogWorld):
    """Events become part of the trace when others can see them."""

    def __init__(self, *wanted: object) -> None:
        self.trace: list[Event] = []
        super().__init__(*wanted)  # type: ignore[arg-type]

    def _do(self, node: int, effect: Effect) -> None:
        if not isinstance(effect, Send):
            self._record(node, effect)
        super()._do(node, effect)

    def _launch(self, node: int, send: Send) -> None:
        self._record(node, send)
        super()._launch(node, send)

    def _record(self, node: int, effect: Effect) -> None:
        at = len(self.trace)
        told = trace_event(effect, node, self.nodes[node].replica.incarnation, at)
        if told is not None:
            self.trace.append(Event(time=at, **msgspec.structs.asdict(told)))
