"""Every seeded bug of snapshots is convicted in trials of the register, by a property that it breaks."""

from __future__ import annotations

import pytest

from ostrakon.harness.faults.grudge import isolate
from ostrakon.harness.plan import Fault
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.workloads.register import REGISTER
from ostrakon.workloads.snapshot_bugs import SNAPSHOT_BUGS
from tests.workloads.hunt import convicting, hunt

TRIALS_MAX = 20
NEMESIS = {"snapshot-not-synced": "power_loss"}


RARE = "installs-unsaved"
"""Takes a node that lags behind and one fault more; a test of the model begins where search finds it."""


@pytest.mark.parametrize("bug", [bug for bug in SNAPSHOT_BUGS if bug != RARE])
def test_a_seeded_bug_is_convicted_by_what_it_breaks(bug: str) -> None:
    trial = hunt(REGISTER, bug, nemesis=NEMESIS.get(bug, "mixed"), trials_max=TRIALS_MAX)

    named = {finding.name for finding in trial.findings}
    assert (convicting(trial) | named) & set(SNAPSHOT_BUGS[bug].convicted_by), trial.why


def test_correct_replicas_take_hand_over_and_install_snapshots() -> None:
    away = Fault("partition", 200, 2000, grudge=isolate(("n1", "n2", "n3"), ["n3"]))
    trial = run(plan_for(REGISTER, seed=0, nodes=3, faults=[away]), workload=REGISTER)

    told = {event.event for event in trial.trace}
    assert trial.valid == "valid", trial.why
    assert {"snapshot_taken", "snapshot_installed", "compacted", "chunk_sent"} <= told
