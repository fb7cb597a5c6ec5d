"""What the guide to the nemesis shows works as printed, and it leaves no kind of fault out."""

from __future__ import annotations

import random
import re
from pathlib import Path

import msgspec

from ostrakon.harness.faults import FAULTS, TARGETS
from ostrakon.harness.faults.draw import SIZES
from ostrakon.harness.plan import Fault, Plan, node_names
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.workloads.register import REGISTER

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "nemesis.md").read_text()


def test_every_fault_and_every_target_is_told_of() -> None:
    named = set(re.findall(r"`([\w:-]+)`", GUIDE))

    assert set(FAULTS) <= named
    assert {*TARGETS, *SIZES} <= named


def test_packages_compose_as_printed() -> None:
    example, *_ = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names = {"rng": random.Random(1), "plan_for": plan_for, "REGISTER": REGISTER, "node_names": node_names}

    exec(compile(example, "nemesis.md", "exec"), names)

    plan = names["plan"]
    assert isinstance(plan, Plan)
    assert {"kill:leader", "one-way:leader"} <= {fault.asked for fault in plan.faults}


def test_the_message_in_flight_that_is_printed_is_lost() -> None:
    example, _ = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    fault = msgspec.json.decode(example, type=Fault)

    plans = (
        Plan(workload="decree", seed=seed, nodes=3, concurrency=3, rate=50.0, faults=(fault,))
        for seed in range(6)
    )
    trials = [run(plan) for plan in plans]

    assert {trial.valid for trial in trials} <= {"valid", "unknown"}
    assert {trial.effects[0]["messages"] for trial in trials} <= {0, 1}
    assert sum(trial.effects[0]["messages"] for trial in trials) > 1, "vacuous: n2 hardly ever promises n3"
