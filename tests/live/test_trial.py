"""Whole trials on processes of this machine. They take real time, and prove no timing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.faults import grudge
from ostrakon.harness.plan import BadPlan, Deviation, Fault, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.resolution import resolve
from ostrakon.harness.store import Store
from ostrakon.harness.substrate import find_substrate
from ostrakon.harness.trial import run
from ostrakon.harness.volume.mounted import NoFuse, require_fuse
from ostrakon.workloads.decree import DECREE

THREE = ("n1", "n2", "n3")


def a_plan(*faults: Fault, **fields: Any) -> Plan:
    return plan_for(DECREE, **{"seed": 1, "substrate": "live", "nodes": 3, "faults": faults, **fields})


def left_over(folder: Path) -> list[str]:
    """The processes of live nodes that write below this folder."""
    return [process.name for process in Path("/proc").glob("[0-9]*") if _is_node_of(process, folder)]


def _is_node_of(process: Path, folder: Path) -> bool:
    try:
        is_node = b"ostrakon.harness.live.node" in (process / "cmdline").read_bytes()
        return is_node and any(str(folder) in os.readlink(entry) for entry in (process / "fd").iterdir())
    except OSError:
        return False  # It has just ended.


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through Linux's /proc")


def test_faults_of_disks_are_those_of_mounted_volumes_and_nothing_stays_mounted(tmp_path: Path) -> None:
    try:
        require_fuse()
    except NoFuse as missing:
        pytest.skip(str(missing))
    faults = [
        Fault("slow_disk", 0, 600, nodes=("n1", "n2", "n3"), ms=20),
        Fault("power_loss", 200, 200, nodes=("n1", "n2", "n3")),
        Fault("failing_sync", 900, 600, nodes=("n3",)),
    ]

    trial = run(a_plan(*faults, time_limit_s=2.0), store=Store(tmp_path))

    # On a busy machine a node may sync nothing while its syncs fail, and then the trial is unknown.
    assert trial.valid != "invalid", trial.why
    assert not trial.effects[1]["inert"]
    assert any(event.event == "restart" for event in trial.trace)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_where_nothing_can_be_mounted_faults_of_disks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)

    with pytest.raises(BadPlan, match="is a power_loss: faults of real disks need /dev/fuse"):
        run(a_plan(Fault("power_loss", 0, 10, nodes=("n1",))))


def test_a_correct_cluster_is_valid_and_everything_is_kept(tmp_path: Path) -> None:
    faults = [
        Fault("partition", 20, 300, grudge=grudge.isolate(THREE, ["n1"])),
        Fault("pause", 30, 200, nodes=("n2",)),
        Fault("kill", 100, 300, nodes=("n3",)),
    ]

    trial = run(a_plan(*faults), store=Store(tmp_path), report=True)

    assert trial.valid == "valid", trial.why
    assert [effect["inert"] for effect in trial.effects] == [False, False, False]
    assert {event.event for event in trial.trace} >= {"promise_sent", "accept_sent", "learned"}
    assert [event.incarnation for event in trial.trace if event.event == "restart" and event.node == "n3"]
    assert trial.folder is not None
    assert (trial.folder / "report.html").exists()
    assert len(Store(tmp_path).latest().trace) == len(trial.trace)  # type: ignore[union-attr]


@needs_proc
def test_no_process_is_left(tmp_path: Path) -> None:
    run(a_plan(Fault("pause", 50, 5_000, nodes=("n2",)), time_limit_s=0.3), store=Store(tmp_path))

    assert left_over(tmp_path) == []


def test_a_seeded_bug_is_convicted() -> None:
    halves = ("n1", "n2"), ("n3", "n4")
    apart = Fault("partition", 0, 900, grudge=grudge.complete(halves))

    trial = run(a_plan(apart, bug="quorum-half", nodes=4, concurrency=4, seed=3))

    assert trial.valid == "invalid"
    assert trial.anomalies


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@needs_proc
def test_a_harness_that_is_ended_takes_its_nodes_along(tmp_path: Path, how: signal.Signals) -> None:
    arguments = ["test", "decree", "--substrate", "live", "--nodes", "3", "--nemesis", "none"]
    arguments += ["--time-limit", "60", "--store", str(tmp_path)]
    command = [sys.executable, "-c", "from ostrakon.harness.cli import main; main()", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as harness:
        eventually(lambda: len(left_over(tmp_path)) == 3, "the nodes never came up")
        harness.send_signal(how)
        _, told = harness.communicate()

    eventually(lambda: not left_over(tmp_path), "nodes outlive the harness")
    assert b"Traceback" not in told
    assert harness.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)


def eventually(happens: Any, otherwise: str) -> None:
    patience = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < patience, otherwise
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (
            a_plan(Fault("clock_skew", 0, 10, nodes=("n1",), rate=2.0)),
            "a clock_skew, which works in simulation only",
        ),
        (a_plan(Fault("kill", 0, 10, target="leader")), "aimed by events or messages of nodes"),
        (
            replace(a_plan(), deviations=(Deviation(1, "drop"),)),
            "the plan has deviations, which only a simulation supports",
        ),
        (replace(a_plan(), workload="mine"), "give 'mine' a name at the top level of a module"),
    ],
)
def test_what_cannot_be_done_live_is_refused(plan: Plan, told: str) -> None:
    with pytest.raises(BadPlan, match=told):
        find_substrate("live").require(resolve(plan, DECREE))


def test_of_a_group_only_what_can_be_done_live_is_drawn() -> None:
    plans = [plan_for(DECREE, seed=seed, substrate="live", nemesis="all") for seed in range(5)]

    for plan in plans:
        assert plan.faults
        find_substrate("live").require(resolve(plan, DECREE))
