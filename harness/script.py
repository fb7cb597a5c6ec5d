"""What clients and the nemesis do in a trial, on whatever substrate it runs."""

from __future__ import annotations

import random

from harness.generator import Generator, any_of, clients, phases, sequence, time_limit
from harness.nemesis import schedule
from harness.plan import Plan
from harness.workload import Workload

FINAL_PHASE_S = 60.0
"""How much time the final phase gets before the trial counts as making no progress."""


def script(plan: Plan, workload: Workload, rng: random.Random) -> Generator:
    """Clients act while faults come and go; when all are healed, the final phase."""
    busy = clients(time_limit(plan.time_limit_s, workload.generator(plan, rng)))
    final = workload.final(plan, rng) if workload.final is not None else sequence()
    return phases(any_of(busy, schedule(plan.faults)), clients(final))
