"""What a plan's faults are aimed at, by the names that its workload gives: targets, and kinds of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ostrakon.harness.faults import (
    Cluster,
    Links,
    Machine,
    Nemesis,
    UnknownFault,
    find_fault,
    find_kind,
    kind_names,
)
from ostrakon.harness.history import Event
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.workload import Workload


def nemesis_for(
    workload: Workload, links: Links[Any, Any], machines: Mapping[str, Machine], events: Sequence[Event]
) -> Nemesis:
    """The nemesis of a trial, whose nodes report these events, more and more of them."""
    names = tuple(machines)
    kind_of = workload.vocabulary.kind_of if workload.vocabulary is not None else lambda message: ""
    cluster = Cluster.of(links, machines, kind_of)
    return Nemesis(cluster, find=lambda target: workload.targets[target](events, names))


def require_aims(plan: Plan, workload: Workload) -> None:
    """Refuse a plan that asks for faults, targets or messages that its workload does not know.

    Raises: BadPlan.
    """
    if problems := [*_unknown_faults(plan, workload), *_unknown_aims(plan, workload)]:
        raise BadPlan(f"the plan cannot be run: {'; '.join(problems)}")


def _unknown_faults(plan: Plan, workload: Workload) -> Iterator[str]:
    shapes = {fault.shape for fault in plan.faults}
    for name in plan.nemesis:
        if name not in shapes:
            try:
                find_fault(name, workload.targets)
            except UnknownFault as error:
                yield f"nemesis: {error}"


def _unknown_aims(plan: Plan, workload: Workload) -> Iterator[str]:
    for number, fault in enumerate(plan.faults):
        if (kind := find_kind(fault.kind)) is None:
            yield f"faults[{number}] is of kind {fault.kind!r}; {suggestion(fault.kind, kind_names())}"
        else:
            yield from (f"faults[{number}] {problem}" for problem in kind.problems(fault))
    known = workload.vocabulary.kinds if workload.vocabulary is not None else ()
    for number, fault in enumerate(plan.faults):
        if fault.target and fault.target not in workload.targets:
            near = suggestion(fault.target, workload.targets)
            yield f"faults[{number}] has the target {fault.target!r}; {near}"
        if fault.message and fault.message not in known:
            yield f"faults[{number}] is about messages {fault.message!r}; {suggestion(fault.message, known)}"
