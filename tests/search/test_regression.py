"""A failing plan becomes a test that says the same as the plan."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness import plan as plan_module
from ostrakon.harness.plan import Fault, Latency, Plan
from ostrakon.harness.search.shrunk import regression_test, spell
from ostrakon.harness.strategies import plans

NAMES = {name: getattr(plan_module, name) for name in ("Plan", "Fault", "Deviation", "Latency")}


@given(
    plans(workload="decree"), st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=3)
)
@settings(deadline=None)
def test_what_is_spelled_is_the_plan(plan: Plan, options: dict[str, Any]) -> None:
    plan = Plan(**{**{name: getattr(plan, name) for name in plan.__struct_fields__}, "options": options})

    assert eval(spell(plan), NAMES) == plan


@given(plans(workload="decree"), st.text(), st.text())
@settings(deadline=None)
def test_the_file_compiles_whatever_is_said_of_the_failure(plan: Plan, reason: str, why: str) -> None:
    module: dict[str, Any] = {}

    exec(compile(regression_test(plan, reason=reason, why=why), "test_it.py", "exec"), module)

    assert module["PLAN"] == plan
    assert any(name.startswith("test_") for name in module)


def test_a_small_plan_reads_like_this() -> None:
    plan = Plan(
        workload="decree",
        bug="deaf",
        seed=3,
        nodes=3,
        latency=Latency("constant", 1.0, 1.0),
        faults=(
            Fault(kind="kill", at_ms=100, for_ms=50, nodes=("n1",)),
            Fault(kind="drop", at_ms=5, for_ms=9, probability=1.0, links=(("n1", "n2"),)),
        ),
    )

    text = regression_test(plan, reason="P7 promise broken", why='n1 promised "2.1" and then voted in 1.2')

    assert (
        text
        == '''\
"""n1 promised '2.1' and then voted in 1.2.

Found by Ostrakon and shrunk. It fails until the fault is mended, and then keeps it from coming back.
"""

from ostrakon import Fault, Latency, Plan, run

PLAN = Plan(
    workload="decree",
    bug="deaf",
    seed=3,
    nodes=3,
    latency=Latency(kind="constant", low_ms=1.0, high_ms=1.0),
    faults=(
        Fault(kind="kill", at_ms=100, for_ms=50, nodes=("n1",)),
        Fault(kind="drop", at_ms=5, for_ms=9, links=(("n1", "n2"),), probability=1.0),
    ),
)


def test_decree_p7_promise_broken() -> None:
    trial = run(PLAN)

    assert trial.valid != "invalid", trial.why
'''
    )
