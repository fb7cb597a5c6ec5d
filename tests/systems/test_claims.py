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
from ostrakon.harness.plan import BadPlan, Fault
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run
from tests.hosts.test_trial import (
    control_groups,
    machine_of_its_own,
    marked,
    needs_groups,
    needs_hosts,
    needs_volumes,
    processes_of,
    started,
)

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
    "Redis loses what it has not synced when all lose power": (
        *("redis-sentinel", "power_loss:all", 15.0, {}),
        "lost element",
    ),
    "PostgreSQL without fsync does not survive a power failure": (
        *("postgres", "power_loss:all", 18.0, {"commit": "remote_apply", "fsync": "off"}),
        "node crashed, no progress, lost element",
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
    "Redis loses nothing that it has synced": ("redis-sentinel", "power_loss:all", 15.0, {"fsync": "always"}),
    "etcd survives a power failure of all nodes": ("etcd", "power_loss:all", 20.0, {}),
    "PostgreSQL survives a power failure of all nodes": (
        *("postgres", "power_loss:all", 18.0),
        {"commit": "remote_apply"},
    ),
    "ZooKeeper is linearizable with sync": ("zookeeper", "partition,pause", 30.0, {"reads": "sync"}),
    "our own store is linearizable": ("paxos-kv", "partition:leader,pause,kill", 30.0, {}),
}


def a_trial(
    name: str,
    nemesis: str,
    time_limit_s: float,
    options: Mapping[str, Any],
    seed: int,
    folder: Path,
    **fields: Any,
) -> Trial:
    workload = find_workload(name)
    fields = {"seed": seed, "time_limit_s": time_limit_s, "options": options, **fields}
    plan = plan_for(workload, nemesis=nemesis, **fields)
    try:
        return run(plan, store=Store(folder), report=True)
    except BadPlan as error:
        if any(told in str(error) for told in ("did not come up", "ended with status", " ran for ")):
            raise  # It is installed, and does not start.
        pytest.skip(str(error))


@pytest.mark.parametrize("claim", INVALID)
def test_what_a_system_does_not_promise_it_does_not_keep(claim: str, tmp_path: Path) -> None:
    name, nemesis, time_limit_s, options, anomaly = INVALID[claim]

    trials = (a_trial(name, nemesis, time_limit_s, options, seed, tmp_path) for seed in range(1, TRIES + 1))

    found = next((trial for trial in trials if trial.valid == "invalid"), None)
    assert found is not None, f"{TRIES} trials did not show it"
    assert {told["name"] for told in found.anomalies} <= set(anomaly.split(", "))


@pytest.mark.parametrize("claim", VALID)
def test_what_a_system_promises_it_keeps(claim: str, tmp_path: Path) -> None:
    trial = a_trial(*VALID[claim], 1, tmp_path)

    assert trial.valid == "valid", trial.headline
    assert sum(1 for _ in trial.history.where(type="ok")) > 300, "vacuous: hardly anything was done"


@pytest.mark.parametrize("name", ["etcd", "redis-sentinel", "postgres"])
def test_a_clock_that_was_set_is_read_by_the_system(name: str, tmp_path: Path) -> None:
    back = Fault("clock_jump", 1000, 1500, nodes=("n1", "n2"), ms=-60_000.0)
    ahead = Fault("clock_jump", 3000, 1500, nodes=("n2", "n3"), ms=30_000.0)

    trial = a_trial(name, "none", 5.0, {}, 1, tmp_path, nodes=3, faults=(back, ahead))

    assert [effect["clocks"] for effect in trial.effects] == [["n1", "n2"], ["n2", "n3"]]
    assert trial.valid == "valid", trial.headline


def test_an_etcd_whose_disks_lie_loses_acknowledged_writes_or_refuses_to_start(tmp_path: Path) -> None:
    names = ("n1", "n2", "n3")
    lies = Fault("lying_disk", 1000, 6000, nodes=names, probability=1.0)
    failure = Fault("power_loss", 5000, 1000, nodes=names)

    # So slow that clients still use the first keys after the power failure.
    fields: dict[str, Any] = {"nodes": 3, "rate": 60.0, "faults": (lies, failure)}
    trials = (a_trial("etcd", "none", 12.0, {}, seed, tmp_path, **fields) for seed in range(1, TRIES + 1))

    def shows_it(trial: Trial) -> bool:
        refusals = [crash for crash in trial.results()["crashes"] if "crc mismatch" in crash["traceback"]]
        return trial.valid == "invalid" or bool(refusals)

    found = next(filter(shows_it, trials), None)
    assert found is not None
    assert {told["name"] for told in found.anomalies} <= {"not linearizable"}


@needs_hosts
@needs_volumes
@needs_groups
def test_fifty_trials_of_which_every_second_is_interrupted_leave_nothing_behind(
    tmp_path: Path, marked: str
) -> None:
    rng = random.Random(50)
    machine = machine_of_its_own()
    for number in range(50):
        trial = started(tmp_path, "--time-limit", "1.5", nemesis=("none", "power_loss", "oom")[number % 3])
        if number % 2:
            time.sleep(rng.uniform(0, 4))
            trial.send_signal(rng.choice((signal.SIGINT, signal.SIGKILL)))
        trial.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while ((left := processes_of(marked)) or control_groups()) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert left == {}
    assert control_groups() == []
    assert "fuse.volume" not in Path("/proc/self/mounts").read_text()
    assert machine_of_its_own() == machine
    assert len(list(tmp_path.glob("store/toy/*/results.json"))) >= 25
