"""A monitor looks on while a trial runs: it can end it, and can change nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ostrakon.harness.history import Event, Op
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import RunFolder, Store
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.workload import Workload
from ostrakon.workloads.decree import DECREE
from tests.trial.toy import plan, toy


@dataclass
class Told:
    """A monitor that says what a function of the op says."""

    of: Callable[[Op], str | None]

    def event(self, event: Event) -> str | None:
        return None

    def op(self, op: Op) -> str | None:
        return self.of(op)


def watched(of: Callable[[Op], str | None]) -> Workload:
    return replace(toy(), watch=lambda plan: Told(of))


def enough(op: Op) -> str | None:
    return "ten are enough" if op.index == 10 else None


def broken_decree(seed: int, *, watch: bool) -> Trial:
    trial_plan = plan_for(DECREE, seed=seed, nemesis="mixed", bug="accept-ignores-promise", nodes=5)
    return run(trial_plan, workload=DECREE, watch=watch)


def test_a_trial_ends_when_its_monitor_says_so_and_the_history_ends_with_the_reason() -> None:
    workload = watched(enough)

    trial = run(plan(workload), workload=workload, watch=True)

    last = trial.history[-1]
    assert trial.recording.stopped == "ten are enough"
    assert (last.process, last.f, last.error) == ("nemesis", "stopped", "ten are enough")
    assert trial.history[10].time == last.time


def test_a_stopped_trial_that_the_checkers_do_not_convict_is_no_pass() -> None:
    workload = watched(enough)

    trial = run(plan(workload), workload=workload, watch=True)

    assert (trial.valid, trial.reason) == ("unknown", "stopped")
    assert trial.why == "stopped before its end: ten are enough"


def test_up_to_where_it_is_stopped_the_same_happens_as_without_a_monitor() -> None:
    workload = watched(enough)

    whole, stopped = (run(plan(workload), workload=workload, watch=watch) for watch in (False, True))

    upto = len(stopped.history) - 1
    assert list(stopped.history)[:upto] == list(whole.history)[:upto]
    assert len(whole.history) == 40


def test_a_monitor_that_has_nothing_to_say_changes_nothing_at_all() -> None:
    workload = watched(lambda op: None)

    whole, looked_at = (run(plan(workload), workload=workload, watch=watch) for watch in (False, True))

    assert looked_at.digest == whole.digest
    assert looked_at.valid == "valid"


def test_a_monitor_that_fails_is_not_taken_for_a_fault_of_the_system() -> None:
    failing = watched(lambda op: [][op.index])
    trial = run(plan(failing), workload=failing, watch=True)

    assert (trial.valid, trial.reason) == ("unknown", "monitor crashed")
    assert "IndexError" in trial.why
    assert len(trial.history) == 40


def test_what_a_stopped_trial_recorded_is_in_its_folder(tmp_path: Path) -> None:
    workload = watched(enough)

    trial = run(plan(workload), workload=workload, store=Store(tmp_path), name="here", watch=True)

    folder = RunFolder(tmp_path / "toy" / "here")
    assert folder.history == trial.history
    assert folder.results["stopped"] == "ten are enough"


@pytest.mark.parametrize("seed", range(6))
def test_a_broken_paxos_is_stopped_and_convicted_by_what_is_recorded(seed: int) -> None:
    whole, stopped = (broken_decree(seed, watch=watch) for watch in (False, True))

    assert stopped.valid == whole.valid
    assert stopped.trace == whole.trace[: len(stopped.trace)]
    assert "termination" not in {anomaly["property"] for anomaly in stopped.anomalies}
    if whole.valid == "invalid":
        assert stopped.recording.stopped
        assert len(stopped.trace) < len(whole.trace)


def test_some_broken_paxos_is_stopped() -> None:
    assert any(broken_decree(seed, watch=True).recording.stopped for seed in range(6)), "vacuous"


def test_the_correct_paxos_is_never_stopped() -> None:
    for seed in range(10):
        trial_plan = plan_for(DECREE, seed=seed, nemesis="all", nodes=5)

        assert run(trial_plan, workload=DECREE, watch=True).recording.stopped == ""
