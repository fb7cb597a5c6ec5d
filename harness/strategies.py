"""Hypothesis strategies for your own property tests: plans and their parts, and histories.

Example::

    @given(plans(workload="decree"))
    @settings(TRIALS, max_examples=50)
    def test_my_system_survives(plan: Plan) -> None:
        require_valid(run(plan))

Hypothesis draws a plan: a few deviations from a default schedule, which shrink well. The plan's seed, which
is also drawn, decides everything else that is random in a trial. The random generators that Hypothesis itself
seeds for every example, such as that of Trio's scheduler, have no influence on a trial. This module needs
Hypothesis, which the extra `test` installs.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from itertools import chain, combinations, islice
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, currently_in_test_context, event, reject, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_strategy, workload_names
from ostrakon.harness.faults import FaultKind, find_fault
from ostrakon.harness.faults.registry import SURVIVABLE
from ostrakon.harness.plan import Deviation, Fault, Latency, Plan

if TYPE_CHECKING:
    from ostrakon.harness.history import History
    from ostrakon.harness.trial import Trial

TRIALS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
"""Settings for tests that run the plans they draw: no deadline, and many plans may be rejected."""

KINDS = tuple(sorted(SURVIVABLE, key=lambda kind: kind != "kill"))
"""The kinds of fault that are drawn by default: a correct system survives them all. Hypothesis shrinks
towards
the first."""


_MINORITIES_MAX = 500
"""The number of sets of nodes to choose from in a large cluster."""


def require_valid(trial: Trial) -> None:
    """Fail if a trial is invalid; reject the plan, as `hypothesis.assume` does, if the verdict is unknown.

    Raises: AssertionError, with the reason and the command that runs the plan again. It is also raised if the
    verdict is unknown because the test's own client or checker failed, since no other plan would change that.
    """
    why = f"{trial.why}\n{trial.replay}"
    is_ours = any(finding.is_ours for finding in trial.findings)
    if trial.valid == "unknown" and not is_ours and currently_in_test_context():
        event(f"unknown: {trial.reason}")
        reject()
    assert trial.valid == "valid", why


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
    """Plans for a workload, or for any installed workload if it is None. All plans share `fields` of `Plan`.

    `kinds` are names that `--nemesis` accepts, except groups: "kill", "halves", "kill:minority", or kinds of
    other packages. A drawn fault counts as requested: if it has no effect, the verdict is unknown.
    """
    plan = draw(workloads(workload, nodes=nodes, **fields))
    faults = draw(fault_schedules(plan.names, plan.time_limit_s, kinds=kinds, faults_max=faults_max))
    drawn = {
        "bug": bug,
        "nemesis": tuple(sorted({fault.kind for fault in faults})),
        "faults": faults,
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
    """Plans without faults: they vary the number of clients, their rate, the time limit and the latency."""
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
    """Histories of an object, linearizable ones and others; see `checkers.strategies.histories`."""
    found: st.SearchStrategy[History] = find_strategy("histories")(of, **bounds)
    return found


def latencies() -> st.SearchStrategy[Latency]:
    """Latencies of messages."""
    return st.builds(
        lambda kind, low, more: Latency(kind, low, low if kind == "constant" else low + more),
        st.sampled_from(("constant", "uniform", "exponential", "lognormal")),
        st.sampled_from((1.0, 0.2, 5.0)),
        st.sampled_from((1.0, 4.0, 20.0)),
    )


def fault_schedules(
    nodes: Sequence[str], time_limit_s: float, *, kinds: Sequence[str] = KINDS, faults_max: int = 4
) -> st.SearchStrategy[tuple[Fault, ...]]:
    """Lists of faults for these nodes, in order of their begin, that all end within the time limit.

    Raises: UnknownFault.
    """
    known = [find_fault(kind) for kind in kinds]
    return (
        st.lists(_faults(tuple(nodes), round(1000 * time_limit_s), known), max_size=faults_max)
        .map(lambda drawn: sorted((fault for some in drawn for fault in some), key=lambda one: one.at_ms))
        .map(tuple)
    )


def deviations(count_max: int, messages: int = 150) -> st.SearchStrategy[tuple[Deviation, ...]]:
    """Delays, drops and duplicates of a few of the first messages; in order, each message at most once."""
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
def _faults(
    draw: st.DrawFn, nodes: tuple[str, ...], end_ms: int, kinds: Sequence[FaultKind]
) -> Sequence[Fault]:
    """One fault of one of these kinds, or the several faults that the kind consists of."""
    kind = draw(st.sampled_from(kinds))
    for_ms = draw(st.integers(min(kind.ms_min, end_ms), max(1, min(kind.ms_max, end_ms))))
    at_ms = draw(st.integers(0, end_ms - for_ms))
    # Hypothesis draws the nodes, because they shrink well; the kind draws its parameters from a seed.
    struck = draw(st.sampled_from(_minorities(nodes)))
    rng = random.Random(draw(st.integers(0, 255)))
    fault = Fault(kind.kind, at_ms, for_ms, **kind.draw(nodes, rng))
    if kind.name != kind.kind:
        fault = replace(fault, asked=kind.name)
    elif not fault.target and (kind.applies_to == "nodes" or fault.grudge):
        fault = kind.aim(replace(fault, nodes=(), links=(), grudge={}, shape=""), struck, nodes)
    return kind.expand(fault, rng)


@cache
def _minorities(nodes: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
    """Sets of at least one node and fewer than half of the nodes, if possible; smaller sets first."""
    most = max(1, (len(nodes) - 1) // 2)
    # A fault is drawn by one choice of Hypothesis, so that shrinking can easily remove it from a list.
    each = chain.from_iterable(combinations(nodes, size) for size in range(1, most + 1))
    return tuple(islice(each, _MINORITIES_MAX))
