"""The model substrate runs the same plans as the simulator, and comes to the same conclusions."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.cli import run as cli
from ostrakon.harness.generator import OpRequest, each_thread, limit, numbered, sequence, until_ok
from ostrakon.harness.generator import repeat as repeated
from ostrakon.harness.history import Event
from ostrakon.harness.plan import BadPlan, Deviation, Fault, Latency, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run
from ostrakon.workloads.decree import DECREE

TOLD = ("prepare_sent", "promise_sent", "nack_sent", "propose_sent", "accept_sent")


def plan(**fields: Any) -> Plan:
    return replace(plan_for(find_workload("decree"), seed=7, nodes=3, substrate="model"), **fields)


def protocol(trial: Trial) -> dict[str, list[tuple[Any, ...]]]:
    """What each node said, in its order."""
    said: dict[str, list[tuple[Any, ...]]] = {name: [] for name in trial.plan.names}
    for event in trial.trace:
        if event.event in TOLD:
            said[event.node].append(_content(event))
    return said


def _content(event: Event) -> tuple[Any, ...]:
    return event.event, event.to, event.ballot, event.value, event.accepted, event.promised


def learned(trial: Trial) -> set[Any]:
    return {event.value for event in trial.trace if event.event == "learned"}


@pytest.mark.parametrize("nodes", [3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_without_faults_model_and_sim_decide_the_same(nodes: int, seed: int) -> None:
    """One proposal after the other: between rivals it is chance that decides, and that differs."""
    workload = _one_after_the_other()
    on_model = plan(
        seed=seed, nodes=nodes, concurrency=1, latency=Latency("constant", 2.0, 2.0), time_limit_s=0.3
    )

    here = run(on_model, workload=workload)
    there = run(replace(on_model, substrate="sim"), workload=workload)

    assert here.valid == there.valid == "valid"
    assert learned(here) == learned(there) == {"v0"}
    assert {node: sorted(map(repr, said)) for node, said in protocol(here).items()} == {
        node: sorted(map(repr, said)) for node, said in protocol(there).items()
    }
    assert [(op.type, op.f, op.value) for op in here.history] == [
        (op.type, op.f, op.value) for op in there.history
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_correct_core_is_never_accused_on_either(seed: int) -> None:
    on_model = plan_for(DECREE, seed=seed, nodes=3, substrate="model", nemesis="mixed")

    here, there = run(on_model), run(replace(on_model, substrate="sim"))

    assert "invalid" not in (here.valid, there.valid)
    assert len(learned(here)) <= 1
    assert learned(here)


@pytest.mark.parametrize(
    "bug", ["ignore-reported-value", "promise-omits-accepted", "learn-on-first-accepted"]
)
def test_a_bug_that_shows_in_most_trials_shows_on_both(bug: str) -> None:
    def convictions(substrate: Any) -> int:
        plans = (plan(seed=seed, bug=bug, concurrency=3, substrate=substrate) for seed in range(16))
        return sum(run(each).valid == "invalid" for each in plans)

    assert convictions("model") >= 1
    assert convictions("sim") >= 1


def test_the_same_plan_gives_the_same_bytes() -> None:
    again = plan_for(DECREE, seed=11, substrate="model", nemesis="mixed")

    assert run(again).digest == run(again).digest
    assert run(again).digest != run(replace(again, seed=12)).digest


def test_a_run_on_the_model_is_kept_like_any_other(tmp_path: Any) -> None:
    trial = run(plan(), store=Store(tmp_path))

    kept = next(Store(tmp_path).runs())
    assert list(kept.history) == list(trial.history)
    assert kept.trace == trial.trace


@pytest.mark.parametrize("kind", ["kill", "power_loss", "pause"])
def test_a_node_that_is_struck_takes_part_again(kind: str) -> None:
    fault = Fault(kind, at_ms=5, for_ms=200, nodes=("n1",))

    trial = run(plan(faults=(fault,), nemesis=(kind,), latency=Latency("constant", 20.0, 20.0)))

    assert trial.effects[0]["stopped"] == ["n1"]
    lives = {event.incarnation for event in trial.trace if event.node == "n1"}
    assert lives == ({0} if kind == "pause" else {0, 1})
    assert any(event.node == "n1" and event.event == "learned" for event in trial.trace)


def test_who_is_cut_off_hears_nothing_and_catches_up() -> None:
    alone = Fault("partition", at_ms=0, for_ms=900, grudge={"n3": ("n1", "n2"), "n1": ("n3",), "n2": ("n3",)})

    trial = run(plan(faults=(alone,), nemesis=("partition",), time_limit_s=5.0))

    when = {event.node: event.time for event in trial.trace if event.event == "learned"}
    assert trial.effects[0]["messages"] > 0
    assert when["n1"] < when["n2"] + 10**9
    assert when["n3"] > 900_000_000 > max(when["n1"], when["n2"])


@pytest.mark.parametrize("action", ["drop", "delay", "duplicate"])
def test_a_deviation_strikes_one_message(action: Any) -> None:
    calm = plan(concurrency=1, latency=Latency("constant", 2.0, 2.0))
    deviating = replace(calm, deviations=(Deviation(0, action, 50.0),))

    before, after = run(calm), run(deviating)

    assert before.digest != after.digest
    arrived = {a: _answers(trial) for a, trial in (("before", before), ("after", after))}
    assert arrived["before"][0] < 10_000_000
    match action:
        case "drop":
            assert arrived["after"] == []  # The other node's answer is enough.
        case "delay":
            assert 50_000_000 < arrived["after"][0] < 60_000_000
        case "duplicate":
            assert len(arrived["after"]) == 2


def test_a_swarm_on_the_model_draws_the_same_plans_but_for_the_substrate() -> None:
    there, here = Swarm(workload="decree"), Swarm(workload="decree", substrate="model")

    assert replace(here.plan(5), substrate="sim") == there.plan(5)
    assert run(here.plan(5)).valid in ("valid", "unknown")


def test_a_soak_runs_on_the_model(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--substrate", "model", "--bug", "ignore-reported-value", "--trials", "20", "--workers", "1"]

    assert cli(["soak", "decree", *asked, "--store", str(tmp_path), "--json"]) == 1

    kept = [run_folder.plan for run_folder in Store(tmp_path).runs()]
    assert {plan.substrate for plan in kept} == {"model"}


def _answers(trial: Trial) -> list[int]:
    """When the receiver of message 0, n2, answered the first prepare."""
    prepared = next(event for event in trial.trace if event.event == "prepare_sent")
    receiver = prepared.to[0]
    return [
        event.time - prepared.time
        for event in trial.trace
        if event.node == receiver and event.event == "promise_sent" and event.ballot == prepared.ballot
    ]


def _one_after_the_other() -> Any:
    from dataclasses import replace as changed

    proposals = numbered(lambda number: OpRequest("propose", f"v{number}"))

    def generator(plan: Plan, rng: Any) -> Any:
        return sequence(limit(3, proposals))

    def final(plan: Plan, rng: Any) -> Any:
        return each_thread(until_ok(limit(5, repeated(OpRequest("get")))))

    return changed(DECREE, generator=generator, final=final)


@pytest.mark.parametrize("substrate", ["model", "sim"])
@pytest.mark.parametrize(
    ("asks", "hint"),
    [
        ("x", "is not a list of"),
        ([[1, 9, "v"]], "names node 9; there are 1 to 3"),
        ([[1, 1, "v"], [2, 1, "w"]], "raise concurrency"),
    ],
)
def test_asks_that_cannot_be_are_told_in_a_sentence(substrate: Any, asks: Any, hint: str) -> None:
    with pytest.raises(BadPlan, match=hint):
        run(plan(substrate=substrate, concurrency=3, options={"asks": asks}))
