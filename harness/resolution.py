"""Resolves a plan: looks up all names in it once, and refuses a plan that cannot be run.

A substrate gets a `ResolvedPlan` and looks up nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostrakon.harness.catalogue import find_bug, find_workload, require_options
from ostrakon.harness.faults import (
    OF_EVENT,
    TARGETS,
    TRAFFIC,
    CallIn,
    Cluster,
    Links,
    Machine,
    Moments,
    Nemesis,
    NoSuchTarget,
    UnknownFault,
    find_fault,
    find_kind,
    kind_names,
)
from ostrakon.harness.history import Event
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.liveness_phase import LivenessPhase, liveness_phase_of
from ostrakon.harness.plan import BadPlan, Plan, require_sense
from ostrakon.harness.requirements import require_workload
from ostrakon.harness.substrates.latency import Latency, planned_latency
from ostrakon.harness.workload import SeededBug, Workload


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """A plan and the objects that it names."""

    plan: Plan
    workload: Workload
    bug: SeededBug | None
    latency: Latency
    """The distribution of message latencies."""
    liveness_phase: LivenessPhase | None
    """The liveness phase; None if the plan does not test liveness."""
    observes_messages: bool = False
    """Whether a simulation counts the transitions between kinds of messages while no event is recorded: it
    takes a few microseconds a message, which only a search has a use for."""

    @property
    def breakage(self) -> Any:
        """The breakage of the seeded bug; None if the plan has no bug."""
        return self.bug.breakage if self.bug is not None else None

    def moments(self, call_in: CallIn) -> Moments | None:
        """The moments that faults of the plan wait for; None if none waits."""
        if not any(fault.when for fault in self.plan.faults):
            return None
        return Moments(self.workload.moments, call_in)

    def nemesis(
        self,
        network: Links[Any, Any],
        machines: Mapping[str, Machine],
        events: Sequence[Event],
        moments: Moments | None = None,
    ) -> Nemesis:
        """The nemesis of the trial; `events` is the growing list of events that nodes report, and is
        `moments.events` if there are moments.
        """
        vocabulary = self.workload.vocabulary
        kind_of = vocabulary.kind_of if vocabulary is not None else lambda message: ""
        targets, names = self.workload.targets, tuple(machines)
        cluster = Cluster.of(network, machines, kind_of)
        return Nemesis(cluster, find=lambda target: targets[target](events, names), moments=moments)


def resolve(plan: Plan, workload: Workload | None = None) -> ResolvedPlan:
    """Resolve a plan. The workload is found by the plan's reference unless it is given.

    Raises: UnknownName, if the workload, the bug or an option does not exist; BadPlan, with all reasons, if
    the plan cannot be run.
    """
    require_sense(plan)
    workload = workload or find_workload(plan.reference)
    require_workload(workload)
    bug = find_bug(workload, plan.bug) if plan.bug is not None else None
    require_options(workload, plan.options)
    bad_options = workload.option_problems(plan.options) if workload.option_problems is not None else ()
    bad_faults = (*_unknown_faults(plan, workload), *_bad_faults(plan), *_unknown_targets(plan, workload))
    if problems := [*(f"options: {problem}" for problem in bad_options), *bad_faults]:
        raise BadPlan(f"the plan cannot be run: {'; '.join(problems)}")
    if workload.system is not None and plan.substrate != "hosts":
        raise BadPlan(
            f"{workload.name!r} is a system of other programs: only the substrate 'hosts' can run it"
        )
    if workload.is_live_only and workload.system is None and plan.substrate != "live":
        raise BadPlan(f"the nodes of {workload.name!r} are programs that only the substrate 'live' can run")
    return ResolvedPlan(plan, workload, bug, planned_latency(plan.latency), liveness_phase_of(plan))


def _unknown_faults(plan: Plan, workload: Workload) -> Iterator[str]:
    shapes = {fault.shape for fault in plan.faults}
    for name in plan.nemesis:
        if name not in shapes:
            try:
                find_fault(name, workload.targets)
            except UnknownFault as error:
                yield f"nemesis: {error}"


def _bad_faults(plan: Plan) -> Iterator[str]:
    for number, fault in enumerate(plan.faults):
        if (kind := find_kind(fault.kind)) is None:
            yield f"faults[{number}] is of kind {fault.kind!r}; {suggestion(fault.kind, kind_names())}"
        else:
            yield from (f"faults[{number}] {problem}" for problem in kind.problems(fault))
            if kind.applies_to == "nodes" and not (fault.nodes or fault.target or fault.when):
                yield f"faults[{number}], {fault.kind}, strikes no node; expected `nodes` or a `target`"
            if kind.applies_to == "links" and not (fault.links or fault.grudge or fault.target or fault.when):
                field = "grudge" if fault.kind == "partition" else "links"
                yield f"faults[{number}], {fault.kind}, strikes no link; expected `{field}` or a `target`"


def _unknown_targets(plan: Plan, workload: Workload) -> Iterator[str]:
    known = workload.vocabulary.kinds if workload.vocabulary is not None else ()
    targets = (*workload.targets, *TRAFFIC)
    said = set[tuple[str, str]]()
    for number, fault in enumerate(plan.faults):
        if fault.when and fault.when not in workload.moments:
            near = suggestion(fault.when, tuple(workload.moments))
            yield f"faults[{number}] waits for the moment {fault.when!r}; {near}"
        if fault.target in TARGETS and fault.target not in targets:
            if (fault.kind, fault.target) not in said:
                yield f"faults[{number}] is {NoSuchTarget(fault.kind, fault.target)}"
            said.add((fault.kind, fault.target))
        elif fault.target and fault.target not in (*targets, *(OF_EVENT if fault.when else ())):
            near = suggestion(fault.target, targets)
            yield f"faults[{number}] has the target {fault.target!r}; {near}"
        if fault.message and fault.message not in known:
            yield f"faults[{number}] is about messages {fault.message!r}; {suggestion(fault.message, known)}"
