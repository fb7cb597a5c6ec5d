"""The generator of a whole trial: the ops of clients and of the nemesis, the same on all substrates."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq

import msgspec
from msgspec import UNSET

from ostrakon.harness.faults import schedule
from ostrakon.harness.faults.nemesis import start
from ostrakon.harness.generator import (
    GENERATOR_NOTES,
    Context,
    Generator,
    NextOp,
    OpRequest,
    any_of,
    clients,
    lift,
    not_before,
    on,
    phases,
    sequence,
    time_limit,
)
from ostrakon.harness.generator import nemesis as by_nemesis
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan, PlannedOp
from ostrakon.harness.resolution import ResolvedPlan

FINAL_PHASE_S = 60.0
"""Seconds that the final phase may take; after that, the trial has made no progress."""


def script(
    resolved: ResolvedPlan, rng: random.Random, begin_final: Callable[[], object] = lambda: None
) -> Generator:
    """First clients run while faults begin and end; then, after all faults are healed, the final phase.

    In a trial of liveness, some faults begin before the final phase and never end. `begin_final` is called
    when the final phase begins, and perhaps again before its first operation.
    """
    plan, workload = resolved.plan, resolved.workload
    if plan.ops is not UNSET:
        busy = clients(_planned([op for op in plan.ops if not op.final]))
        final = _planned([op for op in plan.ops if op.final])
    else:
        busy = clients(time_limit(plan.time_limit_s, _made(workload.generator, plan, rng)))
        final = _made(workload.final, plan, rng) if workload.final is not None else sequence()
    final = _Announced(final, begin_final)
    acting = any_of(busy, schedule(plan.faults))
    if (phase := resolved.liveness_phase) is None:
        return phases(acting, clients(final))
    lasting = (start(number, fault) for number, fault in enumerate(phase.faults, len(plan.faults)))
    return phases(acting, by_nemesis(sequence(*lasting)), clients(final))


class _Announced(msgspec.Struct, frozen=True):
    """`source`, with a call when it begins."""

    source: Generator
    begin: Callable[[], object]

    def next_op(self, ctx: Context) -> NextOp:
        """The first op of the source."""
        self.begin()
        return self.source.next_op(ctx)

    def update(self, event: Op) -> Generator:
        """The source has not begun, so events do not change it."""
        return self


def _planned(ops: Sequence[PlannedOp]) -> Generator:
    """The planned operations: each by its client at its time, or later if the client is still busy."""
    by_client: dict[int, list[Generator]] = {}
    for op in ops:
        by_client.setdefault(op.client, []).append(not_before(op.at_ms / 1000, OpRequest(op.f, op.value)))
    return any_of(*(on(partial(eq, client), sequence(*each)) for client, each in sorted(by_client.items())))


def _made(make: Callable[[Plan, random.Random], Generator], plan: Plan, rng: random.Random) -> Generator:
    """The generator that a workload's function returns; an error in it says that it comes from there."""
    try:
        return lift(make(plan, rng))
    except Exception as error:
        error.add_note(f"{GENERATOR_NOTES[0]} for the first time")
        raise
