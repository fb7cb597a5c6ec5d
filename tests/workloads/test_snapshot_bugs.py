"""Every seeded bug of snapshots is convicted in trials of the register, by a property that it breaks."""

from __future__ import annotations

import pytest

from harness.nemesis.grudge import isolate
from harness.plan import Fault
from harness.planning import plan_for
from harness.trial import Trial, run
from workloads.register import REGISTER
from workloads.snapshot_bugs import SNAPSHOT_BUGS

TRIALS_MAX = 20
NEMESIS = {"snapshot-not-synced": "power_loss"}


def hunt(bug: str) -> Trial:
    for seed in range(TRIALS_MAX):
        nemesis = NEMESIS.get(bug, "mixed")
        trial = run(plan_for(REGISTER, seed=seed, nemesis=nemesis, nodes=3, bug=bug), workload=REGISTER)
        if trial.valid == "invalid":
            return trial
    raise AssertionError(f"{bug} got away with {TRIALS_MAX} trials")


@pytest.mark.parametrize("bug", SNAPSHOT_BUGS)
def test_a_seeded_bug_is_convicted_by_what_it_breaks(bug: str) -> None:
    trial = hunt(bug)

    parts = trial.judgement.to_json()["parts"] if trial.judgement is not None else {}
    convicting = {part for part, verdict in parts.items() if verdict["valid"] is False}
    assert convicting & set(SNAPSHOT_BUGS[bug].convicted_by), trial.why


def test_correct_replicas_take_hand_over_and_install_snapshots() -> None:
    away = Fault("partition", 200, 2000, grudge=isolate(("n1", "n2", "n3"), ["n3"]))
    trial = run(plan_for(REGISTER, seed=0, nodes=3, faults=[away]), workload=REGISTER)

    told = {event.event for event in trial.trace}
    assert trial.valid == "valid", trial.why
    assert {"snapshot_taken", "snapshot_installed", "compacted", "chunk_sent"} <= told
