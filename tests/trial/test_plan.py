from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from ostrakon.harness.plan import BadPlan, Fault, Plan, decode_plan, encode_plan, read_plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.strategies import plans
from ostrakon.harness.trial import run
from ostrakon.workloads.decree import DECREE

PLAN = plan_for(DECREE, seed=3, nemesis="mixed")


@given(plans("decree"))
def test_decoding_undoes_encoding(plan: Plan) -> None:
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"nodes": "three"}, r"Expected `int`, got `str` - at `\$.nodes`"),
        ({"nodes": 0}, "nodes is 0, expected 1 to 99"),
        ({"concurrency": 0}, "concurrency is 0, expected 1 to 10000"),
        ({"rate": -1}, "rate is -1.0, expected a number above 0"),
        ({"time_limit_s": 0}, "time_limit_s is 0.0, expected a number above 0"),
        ({"nodes": 1_000_000}, "nodes is 1000000, expected 1 to 99"),
        ({"latency": {"low_ms": -50.0}}, "latency is -50.0 to 2.5 ms"),
        ({"latency": {"low_ms": 5.0, "high_ms": 1.0}}, "latency.low_ms is 5.0, above"),
        ({"deviations": [{"message": -3, "action": "drop"}]}, r"deviations\[0\] is of message -3"),
        ({"faults": [{"kind": "drop", "at_ms": 1, "for_ms": 1, "probability": 7}]}, "the probability 7.0"),
        ({"colour": "blue"}, "unknown field `colour`"),
        ({"format": 99}, "is of format 99, this version runs format 1"),
        ({"faults": [{"kind": "kill", "at_ms": 1, "for_ms": 1, "nodes": ["n9"]}]}, r"faults\[0\] names n9"),
        (
            {"faults": [{"kind": "kill", "at_ms": -1, "for_ms": 1}]},
            r"faults\[0\] has at_ms -1 and for_ms 1, expected 0 or more",
        ),
        ({"faults": [{"kind": "kill", "at_ms": "soon", "for_ms": 1}]}, r"\$.faults\[0\].at_ms"),
    ],
)
def test_a_bad_plan_is_refused_with_the_field_at_fault(change: dict[str, object], complaint: str) -> None:
    raw = {**msgspec.to_builtins(PLAN), **change}

    with pytest.raises(BadPlan, match=complaint):
        decode_plan(msgspec.json.encode(raw), "plan.json")


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (Fault("earthquake", 1, 1), r"faults\[0\] is of kind 'earthquake'; there are partition, pause"),
        (Fault("delays", 1, 1), "did you mean delay"),
        (Fault("delay", 1, 1, ms=-7), r"faults\[0\] has ms -7, expected 0 or more"),
    ],
)
def test_a_fault_that_no_kind_can_apply_is_read_and_refused_before_the_run(
    fault: Fault, complaint: str
) -> None:
    plan = replace(PLAN, faults=(fault,))

    assert decode_plan(encode_plan(plan)) == plan
    with pytest.raises(BadPlan, match=complaint):
        run(plan)


def test_a_damaged_plan_is_told_from_a_foreign_one() -> None:
    with pytest.raises(BadPlan, match="damaged, not JSON, line 3, column"):
        decode_plan(encode_plan(PLAN)[:20])
    with pytest.raises(BadPlan, match="is not a plan"):
        decode_plan(b'{"hello": "world"}')


def test_a_run_folder_stands_for_its_plan(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "plan.json").write_bytes(encode_plan(PLAN))

    assert read_plan(folder) == read_plan(folder / "plan.json") == PLAN


def test_faults_that_are_given_or_named_count_as_asked_for() -> None:
    given_one = plan_for(DECREE, seed=1, faults=(Fault("kill", 1, 1, nodes=("n1",)),))
    named = plan_for(DECREE, seed=1, nemesis="partition, pause")
    mixed = plan_for(DECREE, seed=1, nemesis="mixed")

    assert given_one.nemesis == ("kill",)
    assert named.nemesis == ("partition", "pause")
    assert mixed.nemesis == ()
    assert mixed.faults


def test_a_seed_draws_the_same_faults_again_and_another_seed_others() -> None:
    assert plan_for(DECREE, seed=3, nemesis="mixed") == PLAN
    assert plan_for(DECREE, seed=4, nemesis="mixed").faults != PLAN.faults
