"""Hypothesis strategies for your own property tests: plans and their parts, and histories.

Example::

    @given(plans(workload="decree"))
    @settings(TRIALS, max_examples=50)
    def test_my_system_survives(plan: Plan) -> None:
        assert run(plan).valid != "invalid"

What Hypothesis draws is a plan with sparse deviations from a default schedule, which shrinks well. All that a
trial leaves to chance follows from the plan's seed, which is drawn too: Hypothesis seeds what it knows of
alike for every example, Trio's scheduler among it, and no trial looks at that. Needs Hypothesis, which the
extra `test` brings along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_strategy, workload_names
from ostrakon.harness.plan import Deviation, Fault, Latency, Plan

if TYPE_CHECKING:
    from ostrakon.harness.history import History

TRIALS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests that run what they draw: a trial takes as long as its plan says, and that is no failure."""

MACHINE_FAULTS = (
    *("kill", "pause", "power_loss", "crash_at_sync", "crash_at_await"),
    *("slow_disk", "full_disk", "failing_disk", "failing_sync"),
)
MESSAGE_FAULTS = ("delay", "drop", "duplicate", "reorder", "clog")
KINDS = (*MACHINE_FAULTS, *MESSAGE_FAULTS, "partition")


@st.composite
def plans(
    draw: st.DrawFn,
    /,
    workload: str | None = None,
    *,
    bug: str | None = None,
    nodes: st.SearchStrategy[int] = st.integers(3, 5),  # noqa: B008 - strategies are immutable
    kinds: Sequence[str] = KINDS,
    faults_max: int = 4,
    deviations_max: int = 6,
    **fields: Any,
) -> Plan:
    """Plans for a workload, any that is on offer if it is None; all of them share `fields` of `Plan`."""
    plan = draw(workloads(workload, nodes=nodes, **fields))
    drawn = {
        "bug": bug,
        "faults": draw(fault_schedules(plan.names, plan.time_limit_s, kinds=kinds, faults_max=faults_max)),
        "deviations": draw(deviations(deviations_max)),
    }
    return replace(plan, **{**drawn, **fields})


@st.composite
def workloads(
    draw: st.DrawFn,
    /,
    name: str | None = None,
    *,
    nodes: st.SearchStrategy[int] = st.integers(3, 5),  # noqa: B008 - strategies are immutable
    **fields: Any,
) -> Plan:
    """Plans in which nothing goes wrong: what clients do, how many, how fast and for how long, on how good a
    network.
    """
    time_limit_s = fields.get("time_limit_s") or draw(st.sampled_from((0.5, 1.0, 2.0)))
    drawn = {
        "workload": name or draw(st.sampled_from(workload_names())),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "nodes": draw(nodes),
        "concurrency": draw(st.integers(1, 5)),
        "rate": draw(st.integers(2, 20).map(lambda ops: ops / time_limit_s)),
        "time_limit_s": time_limit_s,
        "latency": draw(latencies()),
    }
    return Plan(**{**drawn, **fields})


def histories(of: Any, /, **bounds: Any) -> st.SearchStrategy[History]:
    """Histories of an object, as `checkers.strategies.histories` tells: linearizable ones, and lies."""
    found: st.SearchStrategy[History] = find_strategy("histories")(of, **bounds)
    return found


def latencies() -> st.SearchStrategy[Latency]:
    """How long messages take."""
    return st.builds(
        lambda kind, low, more: Latency(kind, low, low if kind == "constant" else low + more),
        st.sampled_from(("constant", "uniform", "exponential", "lognormal")),
        st.sampled_from((1.0, 0.2, 5.0)),
        st.sampled_from((1.0, 4.0, 20.0)),
    )


def fault_schedules(
    nodes: Sequence[str], time_limit_s: float, *, kinds: Sequence[str] = KINDS, faults_max: int = 4
) -> st.SearchStrategy[tuple[Fault, ...]]:
    """Timed faults among these nodes, in order of their beginning, that end within the time limit."""
    return (
        st.lists(_faults(tuple(nodes), round(1000 * time_limit_s), tuple(kinds)), max_size=faults_max)
        .map(lambda faults: sorted(faults, key=lambda fault: fault.at_ms))
        .map(tuple)
    )


def deviations(count_max: int, messages: int = 150) -> st.SearchStrategy[tuple[Deviation, ...]]:
    """A few of the first messages delayed, dropped or duplicated; in order, each message at most once."""
    one = st.builds(
        lambda message, action, ms: Deviation(message, action, 0.0 if action == "drop" else float(ms)),
        st.integers(0, messages - 1),
        st.sampled_from(("drop", "delay", "duplicate")),
        st.integers(1, 500),
    )
    return (
        st.lists(one, max_size=count_max, unique_by=lambda deviation: deviation.message)
        .map(lambda found: sorted(found, key=lambda deviation: deviation.message))
        .map(tuple)
    )


@st.composite
def _faults(draw: st.DrawFn, nodes: tuple[str, ...], end_ms: int, kinds: tuple[str, ...]) -> Fault:
    kind = draw(st.sampled_from(kinds))
    at_ms = draw(st.integers(0, end_ms - 1))
    fault = Fault(kind=kind, at_ms=at_ms, for_ms=draw(st.integers(1, end_ms - at_ms)))
    if kind == "partition":
        return _with_grudge(fault, nodes, draw(_minorities(nodes)))
    if kind in MACHINE_FAULTS:
        fault = replace(fault, nodes=draw(_minorities(nodes)))
        if kind.startswith("crash_at_"):
            return replace(fault, after=draw(st.integers(0, 50 if kind == "crash_at_await" else 4)))
        return replace(fault, ms=float(draw(st.integers(1, 500)))) if kind == "slow_disk" else fault
    if kind == "clog":
        return fault
    ms = 0.0 if kind == "drop" else float(draw(st.integers(1, 200)))
    return replace(fault, probability=draw(st.sampled_from((1.0, 0.5, 0.2))), ms=ms)


def _minorities(nodes: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """At least one node, and fewer than half of them where that is possible."""
    most = max(1, (len(nodes) - 1) // 2)
    return st.lists(st.sampled_from(nodes), min_size=1, max_size=most, unique=True).map(sorted).map(tuple)


def _with_grudge(fault: Fault, nodes: tuple[str, ...], minority: tuple[str, ...]) -> Fault:
    majority = tuple(node for node in nodes if node not in minority)
    return replace(
        fault,
        grudge={**dict.fromkeys(minority, majority), **dict.fromkeys(majority, minority)} if majority else {},
    )
