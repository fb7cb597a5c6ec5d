"""Other futures of a trial: they change nothing in it, find the moment, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.models import register
from ostrakon.harness.cli import run as run_command
from ostrakon.harness.history import Op
from ostrakon.harness.lines import lines_to, reads_and_writes
from ostrakon.harness.plan import BadPlan, Fault, Plan, encode_plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.search.futures import MomentOutcome, curve, require_fork
from ostrakon.harness.search.necessity import parts
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Site, Workload

ROOT = Path(__file__).parents[2]
KILL = Fault("kill", at_ms=600, for_ms=100, nodes=("n1",))
EARLIER = Fault("pause", at_ms=100, for_ms=50, nodes=("n1",))


async def forgetful_register(site: Site) -> None:
    """Keeps its number in memory only."""
    number = 0

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal number
        async for line in stream:
            if line.startswith(b"write "):
                number = int(line.split()[1])
            await stream.send_all(b"%d\n" % number)

    await trio.serve_tcp(handle, 4000)


FORGETFUL = Workload(
    name="forgetful-register",
    program=forgetful_register,
    connect=lines_to(4000, ask=lambda op: f"{op.f} {op.value}", answer=int),
    generator=reads_and_writes,
    check=lambda plan, history, trace: linearizable(history, register(initial=0)),
)


def plan() -> Plan:
    return plan_for(FORGETFUL, seed=0, nodes=1, time_limit_s=1.5, faults=(EARLIER, KILL))


def apart(check: str, *arguments: str) -> None:
    """Run a check of this file in a process without threads: a test runner's workers have some."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    program += f"from tests.search.test_futures import {check} as check; "
    ran = subprocess.run(
        [sys.executable, "-c", program + "check(*sys.argv[1:])", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_step_is_the_fault_that_loses_the_write_in_a_program_without_any_trace() -> None:
    apart("step_is_the_kill")


def step_is_the_kill() -> None:
    found = curve(run(plan(), workload=FORGETFUL), FORGETFUL, moments=12, futures=6)

    assert found.trial.valid == "invalid"
    assert found.step is not None
    before, after = found.step
    assert before.share <= 0.2 < 0.8 <= after.share
    assert "start-kill" in [entry.f for entry in found.happened if isinstance(entry, Op)]
    assert before.at_ns <= KILL.at_ms * 1_000_000 < after.at_ns


def test_a_trial_with_futures_has_the_digest_of_one_without_and_leaves_no_child() -> None:
    apart("nothing_is_changed_or_left")


def nothing_is_changed_or_left() -> None:
    found = curve(run(plan(), workload=FORGETFUL), FORGETFUL, moments=4, futures=3, workers=3)

    assert found.trial.digest == run(plan(), workload=FORGETFUL).digest
    assert sum(moment.futures for moment in found.moments) >= 4, "vacuous: no future was run"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_futures_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    marker = f"futures-of-{os.getpid()}"
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.search.test_futures import *;"
        "print('begun', flush=True);"
        "curve(run(plan(), workload=FORGETFUL), FORGETFUL, moments=40, futures=50, workers=3)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, marker],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert parent.stdout is not None
    with parent, parent.stdout as out:
        assert out.readline() == "begun\n"
        wait_until(lambda: len(processes(marker)) > 1)
        parent.kill()
        assert parent.wait() == -signal.SIGKILL

    wait_until(lambda: not processes(marker))


def processes(marker: str) -> list[str]:
    """The processes of this machine that have this word in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "cmdline").read_text():
                found.append(folder.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def wait_until(is_so: object) -> None:
    assert callable(is_so)
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, "it took more than a minute"
        time.sleep(0.02)


def test_threads_and_other_substrates_are_refused_in_words() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="a-thread")
    thread.start()
    try:
        with pytest.raises(BadPlan, match="a-thread"):
            require_fork()
    finally:
        done.set()
        thread.join()
    with pytest.raises(BadPlan, match="this plan is for 'model'"):
        curve(run(Plan(workload="decree", seed=1, substrate="model")))


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_an_interval_holds_the_share_and_lies_between_nothing_and_all(counts: tuple[int, int]) -> None:
    futures, failed = counts
    moment = MomentOutcome(0, futures, failed)
    low, high = moment.interval

    assert 0.0 <= low <= moment.share <= high <= 1.0
    assert futures == 0 or high - low < 1.0


def test_what_the_failure_needs_is_told_from_what_it_does_not() -> None:
    found = list(parts(plan(), FORGETFUL))

    assert [(part.kind, part.number, part.mattered) for part in found] == [
        ("fault", 0, False),
        ("fault", 1, True),
    ]


def test_the_command_tells_when_and_keeps_what_it_found(tmp_path: Path) -> None:
    seeds = (plan_for_bug(seed) for seed in range(50))
    failing = next(found for found in seeds if run(found).valid == "invalid")
    (tmp_path / "plan.json").write_bytes(encode_plan(failing))

    ran = subprocess.run(
        [sys.executable, "-m", "ostrakon", "explain", tmp_path, "--moments", "4", "--futures", "3"],
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert ran.returncode == 1, ran.stderr
    assert "Share of futures that fail" in ran.stdout
    assert "Without one part of the plan" in ran.stdout
    assert (tmp_path / "explanation.json").exists()


def test_a_failed_trial_is_explained_in_its_report_within_a_budget(tmp_path: Path) -> None:
    arguments = ["--bug", "promise-not-persisted", "--seed", "0", "--nemesis", "power_loss,kill"]

    status = run_command(["test", "decree", *arguments, "--store", str(tmp_path), "--explain", "20"])

    (folder,) = tmp_path.glob("decree/*")
    told = json.loads((folder / "explanation.json").read_text())
    assert status == 1
    assert len(told["moments"]) <= 14
    assert max(moment["share"] for moment in told["moments"]) == 1


def test_no_future_begins_when_the_budget_is_spent() -> None:
    found = curve(run(plan(), workload=FORGETFUL), FORGETFUL, moments=6, futures=3, enough=lambda: True)

    assert found.moments == ()
    assert found.step is None


def test_a_plan_that_does_not_fail_has_nothing_to_explain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(encode_plan(Plan(workload="decree", seed=1)))

    assert run_command(["explain", str(path)]) == 0
    assert "nothing to explain" in capsys.readouterr().err


def plan_for_bug(seed: int) -> Plan:
    from ostrakon.harness.catalogue import find_workload

    return plan_for(find_workload("decree"), seed=seed, nemesis="kill", bug="promise-not-persisted")
