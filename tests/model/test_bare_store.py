"""The store on the model substrate: the same plans, histories, traces and verdicts as in simulation."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.plan import Fault, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run

STORES = (*("register", "append", "bank", "counter", "lock", "long-fork", "set", "unique-ids", "membership"),)


def plan(workload: str = "register", **fields: Any) -> Plan:
    drawn = plan_for(find_workload(workload), seed=7, nodes=3, substrate="model")
    return replace(drawn, **{"time_limit_s": 1.0, **fields})


def first_conviction(workload: str, bug: str, *, seeds: int, first: int = 0) -> Trial:
    swarm = Swarm(workload=workload, substrate="model", bug=bug)
    for seed in range(first, first + seeds):
        trial = run(swarm.plan(seed))
        if trial.valid == "invalid":
            return trial
    raise AssertionError(f"{bug} got away with {seeds} trials of {workload} on the model")


@pytest.mark.parametrize("workload", STORES)
def test_a_correct_store_is_acquitted_of_whatever_search_draws(workload: str) -> None:
    swarm = Swarm(workload=workload, substrate="model")

    trials = [run(swarm.plan(seed)) for seed in range(8)]

    inert = [trial for trial in trials if trial.valid == "unknown" and "changed" in trial.why]
    assert [trial.valid for trial in trials if trial not in inert] == ["valid"] * (8 - len(inert))
    assert len(inert) <= 3
    assert all(any(op.type == "ok" for op in trial.history) for trial in trials), "vacuous: nothing was done"


@pytest.mark.parametrize("workload", ["register", "append", "membership"])
@pytest.mark.parametrize("seed", range(3))
def test_a_plan_goes_back_and_forth_between_model_and_simulation(workload: str, seed: int) -> None:
    here = Swarm(workload=workload, substrate="model").plan(seed)
    there = replace(here, substrate="sim")

    on_model, in_simulation = run(here), run(there)

    assert all(trial.valid == "valid" or "changed" in trial.why for trial in (on_model, in_simulation))
    assert {event.event for event in on_model.trace} >= {"restart", "promise_sent", "accept_sent", "applied"}


def test_the_same_plan_gives_the_same_bytes() -> None:
    drawn = Swarm(workload="register", substrate="model").plan(3)

    assert run(drawn).digest == run(drawn).digest
    assert run(drawn).digest != run(replace(drawn, seed=4)).digest


def test_a_run_on_the_model_is_kept_like_any_other(tmp_path: Any) -> None:
    trial = run(plan(), store=Store(tmp_path))

    kept = next(Store(tmp_path).runs())
    assert list(kept.history) == list(trial.history)
    assert [(event.time, event.seq) for event in kept.trace] == [
        (event.time, event.seq) for event in trial.trace
    ]


@pytest.mark.parametrize(
    ("bug", "seeds"),
    [
        ("ack-before-quorum", 4),  # The core.
        ("executes-retries-again", 4),  # Sessions.
        ("vote-not-persisted", 40),  # What storage is given.
        ("reply-before-fsync", 40),  # Disks that lose what was not synced.
        ("compacts-above-snapshot", 30),  # Snapshots.
        ("snapshot-not-synced", 60),
        ("lease-for-ever", 40),  # Leases.
        ("lease-without-margin", 30),  # Clocks that drift.
    ],
)
def test_a_seeded_bug_of_the_store_is_convicted_on_the_model(bug: str, seeds: int) -> None:
    trial = first_conviction("register", bug, seeds=seeds)

    assert trial.plan.substrate == "model"


def test_a_snapshot_that_is_used_before_it_is_durable_is_noticed() -> None:
    trial = first_conviction("register", "installs-unsaved", seeds=130)

    assert trial.reason == "M2 slots out of order · M4 executed twice"


@pytest.mark.parametrize(
    ("kind", "lives"),
    [("kill", {0, 1}), ("power_loss", {0, 1}), ("pause", {0}), ("suspend", {0}), ("crash_at_sync", {0, 1})],
)
def test_a_replica_that_is_struck_takes_part_again(kind: str, lives: set[int]) -> None:
    fault = Fault(kind, at_ms=300, for_ms=200, nodes=("n1",))

    trial = run(plan(faults=(fault,), nemesis=(kind,)))

    assert trial.valid == "valid"
    assert trial.effects[0]["stopped"] == ["n1"]
    assert {event.incarnation for event in trial.trace if event.node == "n1"} == lives
    after_ns = max(event.time for event in trial.trace if event.node == "n1" and event.event == "applied")
    assert after_ns > 500e6


@pytest.mark.parametrize("kind", ["clock_skew", "clock_jump", "slow_disk", "failing_sync", "full_disk"])
def test_faults_of_clocks_and_disks_act_on_bare_replicas(kind: str) -> None:
    drawn = plan_for(find_workload("register"), seed=1, nodes=3, substrate="model", nemesis=kind)

    trial = run(replace(drawn, time_limit_s=2.0))

    assert trial.valid == "valid"
    assert any(effect.get("clocks") or effect.get("operations") for effect in trial.effects)


def test_a_node_that_gives_up_on_a_failing_disk_is_started_again() -> None:
    fault = Fault("failing_sync", at_ms=300, for_ms=200, nodes=("n1",))

    trial = run(plan(faults=(fault,), nemesis=("failing_sync",)))

    assert trial.valid == "valid"
    assert [crash["node"] for crash in trial.recording.crashes][:1] == ["n1"]
    assert all(crash["inflicted"] for crash in trial.recording.crashes)
    assert {event.incarnation for event in trial.trace if event.node == "n1"} > {0}


@pytest.mark.parametrize("seed", range(4))
def test_several_groups_share_a_server_on_the_model(seed: int) -> None:
    drawn = plan_for(find_workload("register"), seed=seed, nodes=3, substrate="model", nemesis="mixed")

    trial = run(replace(drawn, time_limit_s=1.5, options={"groups": 3}))

    assert trial.valid == "valid"
    assert {event.group for event in trial.trace if event.event == "applied"} == {0, 1, 2}


@pytest.mark.parametrize(
    ("bug", "first"),
    [
        ("votes-of-another-group", 0),
        ("sync-awaited-by-one-group", 94),  # Where the hunt is short.
        ("journal-cut-by-one-group", 35),
    ],
)
def test_a_seeded_bug_of_groups_is_convicted_on_the_model(bug: str, first: int) -> None:
    assert first_conviction("register", bug, seeds=20, first=first).plan.substrate == "model"
