"""What databases say of themselves, shown on real clusters: `make systems`.

Each case takes a minute of real time, and needs the packages of the distribution that docs/hosts.md lists.
What is to be invalid is tried with several seeds, for no two runs are the same; what is to be valid must be
so at once.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run
from tests.hosts.test_trial import machine_of_its_own, marked, needs_hosts, processes_of, started

pytestmark = pytest.mark.systems
__all__ = ["marked"]  # A fixture, used by its name.
TRIES = 3

INVALID: Mapping[str, tuple[str, str, float, dict[str, Any], str]] = {
    "Redis with Sentinel loses acknowledged writes": (
        *("redis-sentinel", "partition:master", 30.0, {}),
        "lost element",
    ),
    "serializable reads of etcd are stale": (
        *("etcd", "partition,pause", 20.0, {"reads": "serializable"}),
        "not linearizable",
    ),
    "two clients hold a lock of etcd": (
        *("etcd-lock", "pause,partition:leader", 40.0, {}),
        "lease held twice",
    ),
    "PostgreSQL loses commits that no standby has": (
        *("postgres", "partition:primary", 18.0, {}),
        "lost element",
    ),
    "plain reads of ZooKeeper are stale": (
        *("zookeeper", "partition,pause", 30.0, {}),
        "not linearizable",
    ),
}
VALID: Mapping[str, tuple[str, str, float, dict[str, Any]]] = {
    "Redis loses none that a majority has": ("redis-sentinel", "partition:master", 30.0, {"wait": 3}),
    "etcd is linearizable": ("etcd", "partition:leader,pause,kill", 30.0, {}),
    "PostgreSQL loses none that the candidate has applied": (
        *("postgres", "partition:primary", 18.0),
        {"commit": "remote_apply"},
    ),
    "ZooKeeper is linearizable with sync": ("zookeeper", "partition,pause", 30.0, {"reads": "sync"}),
    "our own store is linearizable": ("paxos-kv", "partition:leader,pause,kill", 30.0, {}),
}


def a_trial(
    name: str, nemesis: str, time_limit_s: float, options: Mapping[str, Any], seed: int, folder: Path
) -> Trial:
    workload = find_workload(name)
    plan = plan_for(workload, seed=seed, nemesis=nemesis, time_limit_s=time_limit_s, options=options)
    try:
        return run(plan, store=Store(folder), report=True)
    except BadPlan as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("claim", INVALID)
def test_what_a_system_does_not_promise_it_does_not_keep(claim: str, tmp_path: Path) -> None:
    name, nemesis, time_limit_s, options, anomaly = INVALID[claim]

    trials = (a_trial(name, nemesis, time_limit_s, options, seed, tmp_path) for seed in range(1, TRIES + 1))

    found = next((trial for trial in trials if trial.valid == "invalid"), None)
    assert found is not None, f"{TRIES} trials did not show it"
    assert {told["name"] for told in found.anomalies} == {anomaly}


@pytest.mark.parametrize("claim", VALID)
def test_what_a_system_promises_it_keeps(claim: str, tmp_path: Path) -> None:
    trial = a_trial(*VALID[claim], 1, tmp_path)

    assert trial.valid == "valid", trial.headline
    assert sum(1 for _ in trial.history.where(type="ok")) > 300, "vacuous: hardly anything was done"


@needs_hosts
def test_fifty_trials_of_which_every_second_is_interrupted_leave_nothing_behind(
    tmp_path: Path, marked: str
) -> None:
    rng = random.Random(50)
    machine = machine_of_its_own()
    for number in range(50):
        trial = started(tmp_path, "--time-limit", "0.5")
        if number % 2:
            time.sleep(rng.uniform(0, 4))
            trial.send_signal(rng.choice((signal.SIGINT, signal.SIGKILL)))
        trial.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while (left := processes_of(marked)) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert left == {}
    assert machine_of_its_own() == machine
    assert len(list(tmp_path.glob("store/toy/*/results.json"))) >= 25
