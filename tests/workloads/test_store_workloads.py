"""Workloads over the store, and over the registry, acquit the correct one and convict its seeded bugs."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.client import NO_CONNECTION
from ostrakon.harness.generator import clients, perfect, play
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.workloads.log_bugs import LOG_BUGS
from tests.workloads.hunt import convicting, hunt

NAMES = (
    "append",
    "at-most-once",
    "backup",
    "bank",
    "counter",
    "ephemeral",
    "hostile-clients",
    "lock",
    "long-fork",
    "membership",
    "registry",
    "set",
    "unique-ids",
    "watch",
)
TRIALS_MAX = 60
RARE = ("membership", "change-in-force-at-once")
"""Takes a leader that falls with slots under way on both sides of a change. Random schedules of bare
replicas come upon it sooner: `tests/paxos_impl/core/multi/test_log_bugs.py`."""
HUNTED = [(name, bug) for name in NAMES for bug in find_workload(name).bugs if (name, bug) != RARE]


@pytest.mark.parametrize(("name", "bug"), HUNTED)
def test_every_seeded_bug_is_convicted_by_what_it_breaks(name: str, bug: str) -> None:
    workload = find_workload(name)
    trial = hunt(workload, bug, nodes=workload.defaults.get("nodes", 3), trials_max=TRIALS_MAX)

    assert convicting(trial) & set(workload.bugs[bug].convicted_by), trial.why


@pytest.mark.parametrize("name", NAMES)
def test_the_correct_system_raises_no_alarm(name: str) -> None:
    workload = find_workload(name)
    trial = run(plan_for(workload, seed=2, nemesis="all"), workload=workload)

    assert trial.valid == "valid", trial.why


def test_a_trial_that_is_watched_ends_at_the_first_violation_and_is_judged_by_what_there_was() -> None:
    workload = find_workload("register")
    plan = plan_for(workload, seed=0, nodes=3, nemesis="mixed", bug="ack-before-quorum")
    watched, whole = run(plan, workload=workload, watch=True), run(plan, workload=workload)

    assert watched.valid == whole.valid == "invalid"
    assert watched.recording.virtual_s < whole.recording.virtual_s / 2
    assert {anomaly.get("property") for anomaly in watched.anomalies} <= {"P4", "P9"}


@pytest.mark.parametrize("name", [*NAMES, "register"])
def test_a_single_client_will_do(name: str) -> None:
    workload = find_workload(name)
    trial = run(plan_for(workload, seed=1, nodes=3, concurrency=1, time_limit_s=0.5), workload=workload)

    assert trial.valid in ("valid", "unknown"), trial.why
    assert any(op.type == "ok" for op in trial.history), "vacuous: nothing was done"


@pytest.mark.parametrize(
    ("error", "valid"),
    [("registered already, by another instance", "valid"), (f"{NO_CONNECTION}: refused", "invalid")],
)
def test_a_host_whose_instance_is_denied_for_ever_is_not_taken_for_one_that_is_silent(
    error: str, valid: str
) -> None:
    """Another instance may have been given what it wants when nobody heard of that any more."""
    workload = find_workload("registry")
    plan = plan_for(workload, seed=1)
    assert workload.final is not None

    def deny(op: Op) -> Op:
        """One of them, until it loses its connection; its next process asks another host."""
        if op.process != 3:
            return perfect(op)
        denials.append(op)
        return replace(op, type="fail", error=error) if len(denials) < 20 else replace(op, type="info")

    denials: list[Op] = []
    ops = play(clients(workload.final(plan, Random(1))), complete=deny, concurrency=plan.concurrency)

    judged = workload.check(plan, History(ops), Trace(()))
    assert isinstance(judged, Verdict)
    verdict = judged.parts["termination"]
    assert len(denials) == 20
    assert verdict.valid == valid, verdict.why


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_can_catch_and_has_a_bug_to_show_it(name: str) -> None:
    workload = find_workload(name)

    assert workload.about.endswith(".")
    assert all(bug.about and bug.convicted_by for bug in workload.bugs.values())
    assert workload.bugs


def test_no_two_bugs_share_a_name_but_the_same_bug() -> None:
    found = [*LOG_BUGS.values(), *(bug for name in NAMES for bug in find_workload(name).bugs.values())]

    by_name = {bug.name: bug for bug in found}
    assert all(by_name[bug.name] is bug for bug in found)


def test_a_replica_may_take_as_long_to_catch_up_as_the_state_that_attacks_leave_is_large() -> None:
    """Seed 2 leaves 22 KB to be fetched in chunks of 256 bytes, which takes longer than the store's usual
    bound.
    """
    workload = find_workload("hostile-clients")

    trial = run(plan_for(workload, seed=2, nemesis="all"), workload=workload)

    assert trial.valid == "valid", trial.why
