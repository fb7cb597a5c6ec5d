"""Stand-ins for the trial runner: what happens is decided by the plan's seed alone, at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostrakon.harness.history import Event, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.search.outcome import Valid
from ostrakon.harness.store import Store


@dataclass(frozen=True)
class FakeTrial:
    plan: Plan
    valid: Valid = "valid"
    why: str = ""
    reason: str = ""
    anomalies: list[dict[str, Any]] = field(default_factory=list)
    effects: tuple[Mapping[str, Any], ...] = ()
    virtual_s: float = 2.0
    wall_s: float = 0.001
    digest: str = ""
    folder: Path | None = None
    unknown_part: str = ""
    history: tuple[Op, ...] = ()
    trace: tuple[Event, ...] = ()
    final_ns: int | None = None

    def results(self) -> dict[str, Any]:
        parts = {"agreement": {"valid": True}, self.unknown_part: {"valid": "unknown"}}
        return {"findings": [], "verdict": {"parts": parts if self.unknown_part else {}}}


def fails(seed: int) -> bool:
    return seed % 50 == 7


def run(
    plan: Plan,
    *,
    store: Store | None = None,
    name: str | None = None,
    report: bool = False,
    watch: bool = False,
) -> FakeTrial:
    """One seed in fifty fails, in one of two ways."""
    folder = store.create(plan, name or "run").path if store is not None else None
    effects = tuple({"kind": fault.kind, "inert": fault.at_ms > 400} for fault in plan.faults)
    trial = FakeTrial(plan, effects=effects, digest=f"digest of {plan.seed}", folder=folder)
    if not fails(plan.seed):
        return trial
    reason = "P7 promise broken" if plan.seed % 100 == 7 else "split decision"
    return FakeTrial(
        plan, "invalid", f"seed {plan.seed} is odd", reason, [], effects, digest=trial.digest, folder=folder
    )


def run_all_valid(plan: Plan, **_: Any) -> FakeTrial:
    return FakeTrial(plan, digest="the same")


def run_slowly(plan: Plan, **_: Any) -> FakeTrial:
    time.sleep(0.02)
    return FakeTrial(plan, digest="the same")


def run_and_die_at_5(plan: Plan, **_: Any) -> FakeTrial:
    if plan.seed == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return FakeTrial(plan, digest="the same")


def run_without_end_at_5(plan: Plan, **_: Any) -> FakeTrial:
    while plan.seed == 5:
        pass
    return FakeTrial(plan, digest="the same")


def run_and_raise_at_5(plan: Plan, **_: Any) -> FakeTrial:
    if plan.seed == 5:
        raise ZeroDivisionError("a fault of the harness")
    return FakeTrial(plan, digest="the same")


def run_by_chance(plan: Plan, **_: Any) -> FakeTrial:
    return FakeTrial(plan, digest=os.urandom(8).hex())


def run_half_for_nothing(plan: Plan, **_: Any) -> FakeTrial:
    if plan.seed % 2:
        return FakeTrial(plan, digest="the same")
    why = f"fault {plan.seed} changed nothing"
    return FakeTrial(plan, "unknown", why, why, digest="the same", unknown_part="evidence")


def run_seen_late_by_clients(plan: Plan, **_: Any) -> FakeTrial:
    """A rule is broken in every fourth trial, values differ in every eighth, clients see it in the last."""
    anomalies: list[dict[str, Any]] = [
        {"name": "promise broken", "property": "P7", "ops": [], "events": [{"time": 1}]},
        {"name": "two values chosen", "property": "P2", "ops": [], "events": [{"time": 2}]},
        {"name": "split decision", "property": None, "ops": [{"time": 3}], "events": []},
    ]
    found = anomalies[: (plan.seed % 4 == 3) + (plan.seed % 8 == 7) + (plan.seed % 24 == 23)]
    return FakeTrial(plan, "invalid" if found else "valid", anomalies=found)
