"""Real binaries under the nemesis. They take real time, and prove no timing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.cli import run as ostrakon
from ostrakon.harness.commands.maelstrom import PREFIX
from ostrakon.harness.faults import grudge
from ostrakon.harness.history.message import read_messages
from ostrakon.harness.plan import BadPlan, Fault
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run

NODE = Path(__file__).with_name("node.py")
THREE = ("n1", "n2", "n3")


def tried(workload: str, how: str = "primary", *faults: Fault, **fields: Any) -> Trial:
    options = {"bin": str(NODE), "args": how.split(), "recovery_s": 0.5}
    given = {"time_limit_s": 1.0, "seed": 5, "nodes": 3, "concurrency": 3, "options": options}
    return run(plan_for(find_workload(PREFIX + workload), faults=faults, **{**given, **fields}))


@pytest.mark.parametrize(
    ("workload", "how"),
    [
        ("broadcast", "primary"),
        ("txn-list-append", "primary"),
        ("lin-kv", "proxy"),
        ("g-set", "gossip 0.2"),
        ("lin-kv", "service lin-kv"),
        ("unique-ids", "service lin-tso"),
        ("echo", "starting"),
        ("kafka", "proxy"),
    ],
)
def test_a_sound_program_is_valid(workload: str, how: str) -> None:
    trial = tried(workload, how)

    assert trial.valid == "valid", trial.why


@pytest.mark.parametrize(
    ("workload", "how", "anomaly"),
    [
        ("unique-ids", "own", "duplicate id"),
        ("g-set", "own", "lost"),
        ("lin-kv", "own", "linearizable"),
        ("lin-kv", "service lww-kv", "linearizable"),
        ("kafka", "lossy 7", "lost write"),
    ],
)
def test_a_program_that_breaks_its_promise_is_convicted(workload: str, how: str, anomaly: str) -> None:
    trial = tried(workload, how, rate=150.0)

    assert trial.valid == "invalid", trial.why
    assert any(anomaly in found["name"] for found in trial.anomalies), trial.anomalies


def test_a_program_that_relies_on_seq_kv_is_not_linearizable() -> None:
    trial = tried("lin-kv", "service seq-kv", rate=300.0, nodes=5, concurrency=10)

    assert {anomaly["name"] for anomaly in trial.anomalies} == {"not linearizable"}


def test_values_that_spread_after_the_recovery_are_lost_and_a_longer_recovery_finds_them() -> None:
    options = {"bin": str(NODE), "args": ["gossip", "1.5"]}

    assert tried("g-set", options={**options, "recovery_s": 0.1}).valid == "invalid"
    assert tried("g-set", options={**options, "recovery_s": 2.5}).valid == "valid"


def test_what_a_partition_loses_is_not_answered_and_nothing_is_wrong() -> None:
    cut_off = Fault("partition", 200, 500, grudge=grudge.isolate(THREE, ["n3"]))

    trial = tried("lin-kv", "primary", cut_off)

    assert trial.valid == "valid", trial.why
    assert trial.effects[0]["messages"]


def test_the_messages_of_a_run_are_kept_for_its_page(tmp_path: Path) -> None:
    options = {"bin": str(NODE), "args": ["proxy"], "recovery_s": 0.1}
    plan = plan_for(find_workload(PREFIX + "lin-kv"), seed=5, time_limit_s=0.5, options=options)

    trial = run(plan, store=Store(tmp_path))

    assert trial.folder is not None
    kept = list(read_messages(trial.folder / "messages.jsonl"))
    assert {(sent.sender, sent.receiver) for sent in kept} >= {
        ("clients", "n2"),
        ("n2", "n1"),
        ("n1", "clients"),
    }
    assert any(sent.text.startswith("write key=") for sent in kept)


def test_nodes_can_be_called_from_n0_on() -> None:
    trial = tried("broadcast", "proxy", first_node=0, time_limit_s=0.5)

    assert trial.valid == "valid", trial.why
    assert {op.node for op in trial.history.where(type="ok")} == {"n0", "n1", "n2"}


def test_an_error_of_the_bridge_is_ours_and_not_the_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from ostrakon.workloads.maelstrom import message\n"
        "def route(*_):\n    raise RuntimeError('the bridge is broken')\n"
        "message.route = route\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    trial = tried("echo", time_limit_s=0.3)

    assert trial.valid == "unknown"
    assert trial.why.startswith("what runs n")
    assert trial.why.endswith("RuntimeError: the bridge is broken")


def test_a_share_that_must_be_available_is_checked() -> None:
    trial = tried(
        "lin-kv", "own", options={"bin": str(NODE), "args": ["own"], "availability": 1.0, "recovery_s": 0}
    )

    assert "unavailable" in {anomaly["name"] for anomaly in trial.anomalies}, "some of the swaps failed"


@pytest.mark.parametrize("model", ["read-committed", "serializable"])
def test_the_consistency_model_that_is_asked_for_is_checked(model: str) -> None:
    options = {"bin": str(NODE), "args": ["proxy"], "consistency_models": [model], "recovery_s": 0}

    trial = tried("txn-list-append", options=options, time_limit_s=0.5)

    assert trial.judgement is not None
    assert set(trial.judgement.to_json()["parts"]) == {model, "stats"}


def test_a_program_that_keeps_nothing_on_disk_is_convicted_when_it_is_killed() -> None:
    trial = tried("broadcast", "primary", Fault("kill", 700, 100, nodes=("n1",)))

    assert trial.valid == "invalid", trial.why
    assert {anomaly["name"] for anomaly in trial.anomalies} == {"lost element"}


def test_a_program_that_ends_is_told_of_with_what_it_said_last() -> None:
    trial = tried("echo", "primary", options={"bin": "/bin/false", "args": []}, nodes=1, time_limit_s=0.2)

    assert trial.valid == "invalid"
    assert trial.why.startswith("n1 failed by itself: ")
    assert trial.why.endswith("ProgramFailed: /bin/false ended with status 1")
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
        (["-w", "echo", "--bin", str(NODE), "--nemesis", "clock_skew"], "in simulation only"),
        (["-w", "echo", "--bin", str(NODE), "--availability", "all"], "write total, or a number"),
        (["-w", "echo", "--bin", str(NODE), "--topology", "grid"], "no option of workload"),
        (["-w", "broadcast", "--bin", str(NODE), "--topology", "gird"], "did you mean grid"),
        (
            ["-w", "txn-list-append", "--bin", str(NODE), "--consistency-models", "serialisable"],
            "did you mean serializable",
        ),
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
