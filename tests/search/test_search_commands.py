"""`ostrakon soak`, `bugs` and `shrink` on the real thing, briefly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.cli import run
from ostrakon.harness.plan import Plan, encode_plan, read_plan
from ostrakon.harness.search.campaign import Campaign, newest_path, sole_use
from ostrakon.harness.search.complexity import complexity
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.trial import run as run_trial


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def ostrakon(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def soak(store: Path, *arguments: object) -> int:
    return ostrakon("soak", *arguments, "--workers", 1, "--store", store)


def first_plan(valid: str, bug: str | None = None) -> Plan:
    """The plan of the first seed that has this verdict."""
    plans = map(Swarm(workload="decree", bug=bug).plan, range(100))
    return next(plan for plan in plans if run_trial(plan).valid == valid)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_a_soak_of_the_correct_system_is_valid_and_leaves_a_page(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak(store, "decree", "--trials", 6, "--json") == 0

    summary = printed(capsys)
    assert summary["valid"] is True
    assert summary["trials"]["total"] == 6
    page = (store / "campaigns" / "decree-1.html").read_text()
    assert 'http-equiv="refresh"' not in page
    assert summary["coverage"]["transitions"] > 0
    assert {point["name"] for point in summary["coverage"]["points"]} == {"impatient instance"}
    assert sum(recipe["trials"] for recipe in summary["recipes"]) == 6


def test_a_soak_goes_on_where_it_ended(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak(store, "--trials", 4) == 0
    assert soak(store, "--resume", "--trials", 3, "--json") == 0

    trials = json.loads(capsys.readouterr().out.splitlines()[-1])["trials"]
    assert (trials["total"], trials["this_soak"], trials["invalid"]) == (7, 3, 0)


def test_of_several_workloads_each_seed_draws_one_and_each_is_told_of(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak(store, "decree, registry", "--trials", 8, "--json") == 0

    summary = printed(capsys)
    assert summary["workload"] == "decree,registry"
    workloads = {told["name"]: told["trials"] for told in summary["workloads"]}
    assert workloads == Counter(map(Swarm(workload="decree,registry").workload_of, range(8)))
    assert "Trials by workload" in (store / "campaigns" / "decree-registry-1.html").read_text()

    assert soak(store, "--resume", "--trials", 4) == 0
    assert " x  registry: " in capsys.readouterr().out


def test_options_of_a_workload_are_alike_in_all_plans_of_a_soak(store: Path) -> None:
    assert soak(store, "register", "--option", "groups=3", "--trials", 2) in (0, 2)

    assert Campaign.resume(newest_path(store)).swarm.plan(0).options == {"groups": 3}


def test_a_soak_that_finds_a_failure_says_how_to_see_it_again(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak(store, "--trials", 3, "--bug", "quorum-half", "--json") == 1

    (failure, *_) = printed(capsys)["failures"]
    assert failure["replay"].startswith("ostrakon replay ")
    assert (Path(failure["folder"]) / "report.html").exists()


def test_ctrl_c_ends_a_soak_with_a_verdict_and_a_way_to_go_on(store: Path) -> None:
    program = "from ostrakon.harness.cli import main; main()"
    arguments = ["soak", "--workers", "1", "--store", str(store)]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while "trials" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode in (0, 2), err
    assert "go on with: ostrakon soak --resume" in out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["decreee"], "did you mean decree"),
        (["--bug", "quorum-haff"], "did you mean quorum-half"),
        (["decree,registery"], "did you mean registry"),
        (["decree,registry", "--bug", "quorum-half"], "belongs to one workload"),
        (["decree,registry", "--substrate", "model"], "no bare core"),
        (["decree,maelstrom-echo"], "cannot be simulated"),
        (["register", "--option", "gruops=3"], "did you mean groups"),
        (["register", "--option", "groups=99"], "expected a whole number from 1 to 16"),
        (["register", "--option", "groups"], "write NAME=VALUE"),
        (["--nemesis", "partitoin"], "did you mean partition"),
        (["--for", "soon"], "'soon' is not a duration: write 90s, 10m"),
        (["--for", "0s"], "over before it begins"),
        (["--trials", "0"], "--trials"),
        (["--resume"], "there is no campaign in"),
        (["--resume", "--bug", "quorum-half"], "as it was begun"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert soak(store, *arguments) == 254

    err = capsys.readouterr().err
    assert complaint in err
    assert "Traceback" not in err


def test_resuming_where_nothing_is_makes_nothing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak(store, "--resume") == 254

    assert f"there is no campaign in {store}" in capsys.readouterr().err
    assert not store.exists()


def test_a_second_soak_on_the_same_store_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sole_use(store):
        assert soak(store, "--trials", 1) == 254

    assert f"another soak (process {os.getpid()})" in capsys.readouterr().err


def test_the_benchmark_convicts_a_bug_and_clears_the_correct_system(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--bug", "quorum-half", "--control", 5, "--workers", 1, "--store", store)
    assert ostrakon("bugs", "decree", *options, "--json") == 0

    told = printed(capsys)
    assert [(row["bug"], row["convicted"]) for row in told["bugs"]] == [("quorum-half", 1)]
    assert told["bugs"][0]["property"] in told["bugs"][0]["expected"]
    assert (told["control"]["trials"], told["control"]["alarms"]) == (5, [])


def test_each_recipe_is_measured_by_itself(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--control", 0, "--trials", 20, "--substrate", "model", "--workers", 1, "--store", store)
    assert ostrakon("bugs", "--recipes", "--bug", "promise-omits-accepted", *options) == 0

    lines = capsys.readouterr().out.splitlines()
    assert {"directed", "storm", "crash-heavy"} <= set(lines[0].split())
    (costs,) = [line.split()[1:] for line in lines if line.startswith("promise-omits-accepted")]
    assert len(costs) == len(lines[0].split()) - 1
    (convicted,) = [line.split()[1:] for line in lines if line.startswith("convicted")]
    assert [cost != "-" for cost in costs] == [count == "1" for count in convicted]


def test_a_failing_plan_is_shrunk_to_a_test_that_fails(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = first_plan("invalid", bug="quorum-half")
    (tmp_path / "plan.json").write_bytes(encode_plan(plan))

    assert ostrakon("shrink", tmp_path / "plan.json", "--seconds", 3, "--store", store, "--json") == 1

    told = printed(capsys)
    assert complexity(read_plan(Path(told["folder"]))) < complexity(plan)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", told["test"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert told["why"][:40] in ran.stdout


def test_there_is_nothing_to_shrink_in_a_plan_that_does_not_fail(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.json").write_bytes(encode_plan(first_plan("valid")))

    assert ostrakon("shrink", tmp_path, "--store", store) == 0
    err = capsys.readouterr().err
    assert "nothing to shrink: the plan is valid: nothing that happened in it is forbidden" in err


def test_a_soak_that_is_killed_leaves_no_worker_behind(store: Path) -> None:
    mark = f"OSTRAKON_TEST_MARK={store}"
    process = subprocess.Popen(
        [sys.executable, "-c", "from ostrakon.harness.cli import main; main()", "soak", "--workers", "1"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=store.parent,
        env={**os.environ, **dict([mark.split("=", 1)])},
    )
    assert process.stderr is not None
    while "trials" not in process.stderr.readline():
        assert process.poll() is None
    assert len(alive_with(mark)) >= 2
    process.kill()
    process.communicate()

    for _ in range(1000):
        if not alive_with(mark):
            return
        time.sleep(0.02)
    pytest.fail(f"still there: {alive_with(mark)}")


def alive_with(mark: str) -> list[str]:
    """The processes that were started with this in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in environment.read_bytes().split(b"\0"):
                found.append(environment.parent.name)
    return found
