"""Real binaries under the nemesis. They take real time, and prove no timing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.cli import run as ostrakon
from ostrakon.harness.commands.maelstrom import PREFIX
from ostrakon.harness.faults import grudge
from ostrakon.harness.plan import BadPlan, Fault
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial, run

NODE = Path(__file__).with_name("node.py")
THREE = ("n1", "n2", "n3")


def tried(workload: str, how: str = "primary", *faults: Fault, **fields: Any) -> Trial:
    options = {"bin": str(NODE), "args": [how], "converge_s": 0.5}
    given = {"time_limit_s": 1.0, "seed": 5, "nodes": 3, "concurrency": 3, "options": options}
    return run(plan_for(find_workload(PREFIX + workload), faults=faults, **{**given, **fields}))


@pytest.mark.parametrize("workload", ["broadcast", "g-counter", "lin-kv", "txn-list-append"])
def test_a_program_that_keeps_everything_in_one_place_is_valid(workload: str) -> None:
    trial = tried(workload)

    assert trial.valid == "valid", trial.why


@pytest.mark.parametrize(
    ("workload", "anomaly"),
    [
        ("unique-ids", "duplicate id"),
        ("g-set", "lost"),
        ("lin-kv", "linearizable"),
    ],
)
def test_a_program_whose_nodes_know_nothing_of_each_other_is_convicted(workload: str, anomaly: str) -> None:
    trial = tried(workload, "own")

    assert trial.valid == "invalid", trial.why
    assert any(anomaly in found["name"] for found in trial.anomalies), trial.anomalies


def test_what_a_partition_holds_up_is_not_answered_and_nothing_is_wrong() -> None:
    cut_off = Fault("partition", 200, 500, grudge=grudge.isolate(THREE, ["n3"]))

    trial = tried("lin-kv", "primary", cut_off)

    assert trial.valid == "valid", trial.why
    assert trial.effects[0]["messages"]


def test_a_program_that_keeps_nothing_on_disk_is_convicted_when_it_is_killed() -> None:
    trial = tried("broadcast", "primary", Fault("kill", 700, 100, nodes=("n1",)))

    assert trial.valid == "invalid", trial.why
    assert {anomaly["name"] for anomaly in trial.anomalies} == {"lost element"}


def test_a_program_that_ends_is_told_of_with_what_it_said_last() -> None:
    trial = tried("echo", "primary", options={"bin": "/bin/false", "args": []}, nodes=1, time_limit_s=0.2)

    assert trial.valid == "invalid"
    assert trial.why.startswith("n1 failed by itself: ")
    assert trial.why.endswith("BinaryEnded: /bin/false ended with status 1")
    assert "/bin/false ended with status 1" in trial.recording.crashes[0]["traceback"]


def test_what_a_program_started_does_not_outlive_it(tmp_path: Path) -> None:
    program, started = tmp_path / "node", tmp_path / "started"
    program.write_text(f"#!/bin/sh\nsleep 1000 & echo $! > {started}\necho no message\nwait\n")
    program.chmod(0o755)

    trial = tried("echo", "primary", options={"bin": str(program), "args": []}, nodes=1, time_limit_s=0.2)

    assert "'no message' is no message" in trial.why
    assert not is_alive(int(started.read_text()))


def is_alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_in_simulation_it_is_refused() -> None:
    with pytest.raises(BadPlan, match="only the substrate 'live' can run"):
        tried("echo", substrate="sim")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-w", "lin-vk", "--bin", str(NODE)], "did you mean lin-kv"),
        (["-w", "echo", "--bin", "/nowhere/node"], "it is not there"),
        (["-w", "echo", "--bin", __file__], "it may not be executed"),
        (["-w", "echo", "--bin", str(NODE), "--concurrency", "n4"], "such as 4n"),
        (["-w", "echo", "--bin", str(NODE), "--nemesis", "partitoin"], "did you mean partition"),
        (["-w", "echo", "--bin", str(NODE), "--nemesis", "power_loss"], "in simulation only"),
    ],
)
def test_a_users_mistake_gets_a_sentence(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ostrakon(["maelstrom", "test", *arguments]) == 254

    said = capsys.readouterr()
    assert told in said.err
    assert "Traceback" not in said.err + said.out


def test_the_command_runs_a_trial_and_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-w", "echo", "--bin", str(NODE), "--node-count", "1", "--concurrency", "2n"]
    arguments += ["--time-limit", "0.5", "--store", str(tmp_path), "--", "primary"]

    assert ostrakon(["maelstrom", "test", *arguments]) == 0

    assert "VALID" in capsys.readouterr().out
    assert list(tmp_path.glob("maelstrom-echo/*/report.html"))
