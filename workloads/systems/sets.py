"""What clients do with a store that may lose what it acknowledged: add elements, and read all at last."""

from __future__ import annotations

import dataclasses
import random

from ostrakon.checkers.collections.sets import final_set
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.generator import Generator, OpRequest, numbered, repeat, stagger
from ostrakon.harness.history import History, Trace
from ostrakon.harness.plan import Plan
from ostrakon.workloads.final_phase import each_until_done
from ostrakon.workloads.systems.recovery import serves_again

_ANOMALIES_MAX = 20


def adds(plan: Plan, rng: random.Random) -> Generator:
    """Adds at the plan's rate, none of the same element twice."""
    return stagger(1 / plan.rate, numbered(lambda number: OpRequest("add", number)), rng=rng)


def read_at_last(plan: Plan, rng: random.Random) -> Generator:
    """One client reads all elements, until it is done."""

    def ops_of(thread: int) -> list[Generator]:
        return [repeat(OpRequest("read"))] if thread == 0 else []

    return each_until_done(plan, rng, ops_of, tries_max=50, pause_s=0.2)


def all_there(plan: Plan, history: History, trace: Trace) -> Verdict:
    """The last read has every element whose `add` was acknowledged."""
    parts = {
        "set": lambda: _first_of(final_set(history)),
        "stats": lambda: stats(history),
        "recovery": lambda: serves_again(plan, history),
    }
    return Verdict.compose({part: guarded(part, of) for part, of in parts.items()})


def _first_of(verdict: Verdict) -> Verdict:
    """The same with fewer anomalies: one fail-over may lose thousands. The details have their number."""
    return dataclasses.replace(verdict, anomalies=verdict.anomalies[:_ANOMALIES_MAX])
