"""The matrix of faults: its cells are arranged on both substrates, and convict what they are for."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.cell import Cell
from ostrakon.harness.cli import run as run_command
from ostrakon.harness.history import Event
from ostrakon.harness.plan import Fault, Plan, encode_plan
from ostrakon.harness.search.recipe import find_recipe
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.trial import Trial, run
from ostrakon.workloads.vocabulary import OF_REPLICAS

CELLS = find_workload("register").cells
PLAN = Plan(workload="register", seed=1, faults=(Fault("kill", 0, 1, nodes=("n1",)),))


def trial_of(cell: Cell, substrate: Any, *, bug: str | None = None) -> Trial:
    assert cell.plan is not None
    return run(replace(cell.plan, substrate=substrate, bug=bug))


def test_a_cell_is_reached_if_all_its_faults_had_an_effect_and_its_events_occurred() -> None:
    cell = Cell(about="", plan=PLAN, events=("leading",), leaders=2)
    led = [Event(0, node, 0, 0, "leading") for node in ("n1", "n2")]

    assert cell.is_reached([{"inert": False}], led)
    assert not cell.is_reached([{"inert": True}], led)
    assert not cell.is_reached([{"inert": False}], led[:1])
    assert not cell.is_reached([], led)


def test_every_cell_is_a_plan_or_has_a_reason_why_it_cannot_be() -> None:
    assert len(CELLS) > 300
    assert all((cell.plan is None) == bool(cell.impossible) for cell in CELLS.values())


def test_every_kind_of_message_is_in_the_matrix() -> None:
    fates = ("lost", "doubled", "overtaken", "late by a term", "late by a lease", "late by a restart")

    assert all(
        any(name.startswith(f"{kind} {fate}") for name in CELLS)
        for kind in OF_REPLICAS.kinds
        for fate in fates
    )


@pytest.mark.parametrize("substrate", ["model", "sim"])
@pytest.mark.parametrize(
    "name",
    [
        "Accepted lost, sender still leads",
        "Propose overtaken, sender is deposed",
        "a vote or promise: between write and sync, leader",
        "the log is cut: crash",
        "election timer in a later term, cut off",
    ],
)
def test_correct_replicas_survive_a_cell_and_it_is_reached(name: str, substrate: Any) -> None:
    for seed in range(1, 5):
        trial = run(replace(CELLS[name].plan or PLAN, substrate=substrate, seed=seed))
        assert trial.valid != "invalid", trial.why
        if CELLS[name].is_reached(trial.effects, trial.trace):
            return
    raise AssertionError("not reached in 4 trials")


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("election timer in a later term, cut off", "reads-without-quorum"),
        ("a vote or promise: between write and sync, leader", "reply-before-fsync"),
    ],
)
def test_a_cell_convicts_a_bug_that_needs_it(name: str, bug: str) -> None:
    plan = CELLS[name].plan
    assert plan is not None

    trials = (run(replace(plan, substrate="model", bug=bug, seed=seed)) for seed in range(1, 31))

    assert any(trial.valid == "invalid" for trial in trials)


def test_search_draws_variations_of_cells() -> None:
    plans = [Swarm(workload="register", recipe="matrix").plan(seed) for seed in range(20)]

    assert find_recipe("matrix").of_cells
    assert len({encode_plan(replace(plan, seed=0)) for plan in plans}) == 20


def test_the_command_says_what_is_reached_and_what_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command(
        ["cells", "register", "--only", "Nack late by a term, sender", "--substrate", "model"]
    )

    told = capsys.readouterr().out
    assert status in (0, 2)
    assert "cells reached" in told
    assert "a leader of an earlier term leads no more: Nack late by a term, sender still leads" in told
