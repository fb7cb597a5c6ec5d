"""Hunts for seeded bugs of workloads whose verdict has parts."""

from __future__ import annotations

from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.workload import Workload


def hunt(workload: Workload, bug: str, *, nemesis: str = "mixed", nodes: int = 3, trials_max: int) -> Trial:
    """The first trial, by seeds from 0, that convicts the bug."""
    for seed in range(trials_max):
        plan = plan_for(workload, seed=seed, nemesis=nemesis, nodes=nodes, bug=bug)
        trial = run(plan, workload=workload)
        if trial.valid == "invalid":
            return trial
    raise AssertionError(f"{bug} got away with {trials_max} trials of {workload.name}")


def convicting(trial: Trial) -> set[str]:
    """The parts of its verdict that are invalid, and `node crashed` if a node crashed."""
    parts = trial.judgement.to_json()["parts"] if trial.judgement is not None else {}
    found = {finding.name for finding in trial.findings}
    return (found & {"node crashed"}) | {part for part, verdict in parts.items() if verdict["valid"] is False}
