"""The scenario matrix of the store by its other workloads, and of the registry: each sort of fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ostrakon.harness.trial import Trial

RunTrial = Callable[..., Trial]

WORKLOADS = ("append", "bank", "counter", "lock", "long-fork", "set", "unique-ids")


@pytest.mark.chaos(trials=1)
@pytest.mark.parametrize("nemesis", ["random-halves", "kill", "drop", "mixed", "all"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_drawn_faults(trial: RunTrial, workload: str, nemesis: str, seed: int) -> None:
    ran = trial(workload, seed=seed, nodes=5 if nemesis == "all" else 3, nemesis=nemesis)

    assert any(event.event == "applied" for event in ran.trace), "vacuous: nothing was executed"


@pytest.mark.chaos(trials=3)
@pytest.mark.parametrize("nemesis", ["random-halves", "kill", "power_loss", "failing_sync", "mixed", "all"])
def test_registrations_under_drawn_faults(trial: RunTrial, nemesis: str, seed: int) -> None:
    trial("registry", seed=seed, nodes=4 if nemesis == "all" else 3, nemesis=nemesis)


@pytest.mark.chaos(trials=2)
@pytest.mark.parametrize("nemesis", ["none", "random-halves", "kill", "mixed", "all"])
def test_members_come_and_go_under_drawn_faults(trial: RunTrial, nemesis: str, seed: int) -> None:
    trial("membership", seed=seed, nemesis=nemesis)


@pytest.mark.chaos(trials=3)
def test_locks_are_exclusive_whoever_sleeps_meanwhile(trial: RunTrial, seed: int) -> None:
    trial("lock", seed=seed, nodes=3, nemesis="pause")


@pytest.mark.chaos(trials=2)
def test_locks_are_fenced_though_clocks_run_at_other_rates(trial: RunTrial, seed: int) -> None:
    trial("lock", seed=seed, nodes=3, nemesis="clock_skew")
