"""Plans that list their operations, and what can be left out of them."""

from __future__ import annotations

from dataclasses import replace as with_parts

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.generator import OpRequest, each_thread, limit, numbered, phases, sleep
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.plan import BadPlan, Fault, Plan, PlannedOp, decode_plan, encode_plan, require_sense
from ostrakon.harness.search.complexity import complexity, size_line
from ostrakon.harness.search.scripted import (
    fewer_planned_clients,
    fewer_planned_ops,
    rounder_planned_times,
    script_passes,
    scripted_plans,
    smaller_planned_values,
)
from ostrakon.harness.search.shrunk import shrink_trial
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Workload
from ostrakon.workloads.register import REGISTER
from tests.trial.toy import toy

OPS = (
    PlannedOp(12.3, 1, "write", 40),
    PlannedOp(34.5, 4, "read"),
    PlannedOp(56.7, 4, "write", 70),
    PlannedOp(78.9, 2, "cas", [40, 70]),
)
LISTED = Plan(workload="toy", seed=1, ops=OPS)
DRAWN = Plan(workload="toy", seed=1)


def test_a_plan_that_lists_its_operations_runs_those_and_no_others() -> None:
    ops = (PlannedOp(5.0, 0, "add", 7), PlannedOp(9.5, 1, "add", 8), PlannedOp(9.5, 0, "add", 9))
    plan = Plan(workload="toy", seed=1, nodes=1, concurrency=2, ops=ops)

    begun = list(run(plan, workload=toy()).history.where(type="invoke"))

    assert [(op.time, op.process, op.f, op.value) for op in begun[:2]] == [
        (5_000_000, 0, "add", 7),
        (9_500_000, 1, "add", 8),
    ]
    assert [op.value for op in begun] == [7, 8, 9]


def test_a_plan_made_of_a_history_goes_the_same_way() -> None:
    plan = Plan(workload="register", seed=3, nodes=3, time_limit_s=1.0)
    first = run(plan, workload=REGISTER)
    *_, whole = scripted_plans(plan, first.history, (), first.recording.final_ns)

    again = run(whole, workload=REGISTER)

    def begun(history: History) -> list[tuple[object, ...]]:
        # Trio's clock counts in floating-point seconds: whole nanoseconds are not kept.
        # Of those that begin at one moment, none is the first.
        told = ((op.time // 1000, op.process, op.f, op.value) for op in history.where(type="invoke"))
        return sorted(told, key=repr)

    assert begun(again.history) == begun(first.history)


def test_operations_of_the_final_phase_stay_there_in_a_plan_made_of_a_history() -> None:
    """Of the drawn plan, and of the plan that lists what that one did."""
    workload = with_parts(toy(), final=lambda plan, rng: phases(sleep(1.0), each_thread(OpRequest("final"))))
    plan = Plan(workload="toy", seed=1, nodes=1, concurrency=2, time_limit_s=0.5)
    for _ in range(2):
        recording = run(plan, workload=workload).recording
        *_, plan = scripted_plans(plan, recording.history, (), recording.final_ns)

        assert isinstance(plan.ops, tuple)
        assert [op.f for op in plan.ops if op.final] == ["final", "final"]
        assert {op.f for op in plan.ops if not op.final} == {"ask"}


def test_a_listed_operation_of_the_final_phase_begins_after_all_others_and_all_faults() -> None:
    ops = (PlannedOp(0.0, 1, "final", final=True), PlannedOp(900.0, 0, "ask"))
    fault = Fault("pause", at_ms=100, for_ms=1900, nodes=("n1",))
    plan = Plan(workload="toy", seed=1, nodes=1, concurrency=2, ops=ops, faults=(fault,))

    history = run(plan, workload=toy()).history

    (final,) = history.where(type="invoke", f="final")
    assert final.time >= 2_000_000_000
    assert all(op.index < final.index for op in history.where(f="ask"))


def test_the_rest_before_an_operation_of_the_final_phase_does_not_become_shorter() -> None:
    plan = replace(LISTED, ops=(PlannedOp(1234.5, 0, "read", final=True),))

    times = [op.at_ms for smaller in rounder_planned_times(plan) for op in smaller.ops or ()]

    assert times
    assert min(times) >= 1234.5


def test_listed_operations_are_kept_in_a_plans_text_and_others_add_nothing_to_it() -> None:
    assert decode_plan(encode_plan(LISTED)) == LISTED
    assert b'"ops"' not in encode_plan(DRAWN)


@pytest.mark.parametrize("op", [PlannedOp(-1.0, 0, "read"), PlannedOp(0.0, 5, "read")])
def test_an_operation_that_cannot_be_done_is_refused(op: PlannedOp) -> None:
    with pytest.raises(BadPlan, match=r"ops\[0\]"):
        require_sense(Plan(workload="toy", seed=1, ops=(op,)))


def test_any_single_operation_is_left_out() -> None:
    left = [plan.ops for plan in fewer_planned_ops(LISTED)]

    for gone in range(len(OPS)):
        assert (*OPS[:gone], *OPS[gone + 1 :]) in left


def test_clients_get_small_numbers() -> None:
    first = next(fewer_planned_clients(LISTED))

    assert isinstance(first.ops, tuple)
    assert [op.client for op in first.ops] == [0, 2, 2, 1]
    assert first.concurrency == 3


def begun(f: str, *values: object) -> list[Op]:
    return [Op(number, 0, "invoke", 0, f, value) for number, value in enumerate(values)]


def test_values_get_small_names_that_stay_different() -> None:
    history = [*begun("write", 0, 1, 40, 70), *begun("cas", [0, 1], [40, 70]), *begun("read", None)]

    first = next(smaller_planned_values(history)(LISTED))

    assert isinstance(first.ops, tuple)
    assert [op.value for op in first.ops] == [0, None, 1, [0, 1]]


def test_values_that_no_client_used_are_not_made_up() -> None:
    """An addition of 0, where all clients add 1 or more, would be another workload."""
    plan = replace(LISTED, ops=(PlannedOp(0.0, 0, "add", 5), PlannedOp(0.0, 1, "read")))
    history = [*begun("add", 1, 2, 5), *begun("read", None)]

    proposed = [op.value for smaller in smaller_planned_values(history)(plan) for op in smaller.ops or ()]

    assert 0 not in proposed
    assert {1, 2} <= set(filter(None, proposed))


def test_times_become_round() -> None:
    first = next(rounder_planned_times(LISTED))

    assert isinstance(first.ops, tuple)
    assert [op.at_ms for op in first.ops] == [0.0, 0.0, 100.0, 100.0]


def test_a_list_is_simpler_than_a_seed_and_the_shorter_list_the_simpler() -> None:
    assert complexity(LISTED) < complexity(DRAWN)
    assert complexity(replace(LISTED, ops=OPS[:2])) < complexity(LISTED)
    assert "2 ops" in size_line(replace(LISTED, ops=OPS[:2]))
    assert "about" in size_line(DRAWN)


def test_passes_for_lists_propose_nothing_for_other_plans() -> None:
    assert DRAWN.ops is UNSET
    for each in script_passes(()):
        assert list(each(DRAWN)) == []


def test_a_failure_that_two_operations_show_is_shrunk_to_two() -> None:
    def two_alike(plan: Plan, history: History, trace: Trace) -> Verdict:
        """Wrong: a value of 3 or more was added before an even one was."""
        done = list(history.where(f="add", type="ok"))
        found = [
            (a, b) for a in done for b in done if a.index < b.index and a.value >= 3 and b.value % 2 == 0
        ]
        return Verdict.of([Anomaly("out of order", "an even value came late", pair) for pair in found[:1]])

    adds = numbered(lambda number: OpRequest("add", number))
    workload: Workload = with_parts(toy(), check=two_alike, generator=lambda plan, rng: limit(20, adds))
    failing = run(Plan(workload="toy", seed=2, nodes=3), workload=workload)
    assert failing.valid == "invalid"

    shrunk = shrink_trial(failing, 20.0, workload=workload).plan

    assert isinstance(shrunk.ops, tuple)
    assert len(shrunk.ops) == 2
    assert (shrunk.nodes, shrunk.faults) == (1, ())
    assert max(op.client for op in shrunk.ops) <= 1
