"""Shrinking: the simplest plan that still fails, found by leaving things out (delta debugging).

Pure search: whether a candidate fails is asked of the caller. Each pass proposes simpler plans, the
boldest first; whatever fails is taken, and when no pass finds anything any more, nothing that we know
how to leave out can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from harness.plan import BadPlan, Fault, Latency, Plan, encode_plan
from harness.search.complexity import complexity

Fails = Callable[[Plan], bool]
"""Whether a plan fails, and for the reason that is looked for."""
Pass = Callable[[Plan], Iterator[Plan]]
"""Proposes simpler plans."""

_T = TypeVar("_T")

_SEEDS = 3
"""With how many other seeds a smaller plan is tried: what is left out shifts all that was drawn."""


def shrink(
    plan: Plan,
    fails: Fails,
    *,
    enough: Callable[[], bool] = lambda: False,
    guesses: Iterable[Plan] = (),
    elsewhere: Pass | None = None,
) -> Plan:
    """The simplest plan found that fails, starting from one that does.

    `fails` is never asked twice about the same plan. When `enough` says so, the simplest plan until then
    is returned. `guesses` are simpler plans to begin with, if one of them fails. `elsewhere` proposes plans
    that are not made from this one; it is asked when there is no smaller cluster to be had.
    """
    search = _Search(fails, enough)
    plan = search.first_failure(lambda _: iter(guesses), plan) or plan
    if elsewhere is not None:
        plan = search.exhaust(elsewhere, search.exhaust(SMALLER_CLUSTERS, plan))
    return search.shrink(plan)


def runnable(fails: Fails) -> Fails:
    """The same question, with a no for plans that cannot be run: what is left refers to what is gone."""

    def fails_if_run(plan: Plan) -> bool:
        try:
            return fails(plan)
        except BadPlan:
            return False

    return fails_if_run


@dataclass(slots=True)
class _Search:
    fails: Fails
    enough: Callable[[], bool]
    refuted: set[bytes] = field(default_factory=set)
    """Plans that do not fail."""

    def shrink(self, plan: Plan) -> Plan:
        while True:
            before = plan
            for propose in PASSES:
                plan = self.exhaust(propose, plan)
            if plan == before or self.enough():
                return plan

    def exhaust(self, propose: Pass, plan: Plan) -> Plan:
        """Follow one pass until none of its proposals fails."""
        while (simpler := self.first_failure(propose, plan)) is not None:
            plan = simpler
        return plan

    def first_failure(self, propose: Pass, plan: Plan) -> Plan | None:
        ceiling = complexity(plan)
        for candidate in propose(plan):
            if self.enough():
                return None
            if complexity(candidate) < ceiling and self.still_fails(candidate):
                return candidate
        return None

    def still_fails(self, plan: Plan) -> bool:
        key = encode_plan(plan)
        if key in self.refuted:
            return False
        if self.fails(plan):
            return True
        self.refuted.add(key)
        return False


def _with_other_seeds(propose: Pass) -> Pass:
    """Each proposal, first with the plan's own seed and then with a few others."""

    def proposals(plan: Plan) -> Iterator[Plan]:
        for candidate in propose(plan):
            yield candidate
            for seed in range(_SEEDS):
                yield replace(candidate, seed=seed)

    return proposals


def nothing_asked_for(plan: Plan) -> Iterator[Plan]:
    """No kind of fault that has to take effect: those that are needed will."""
    yield replace(plan, nemesis=())


def without_faults(plan: Plan) -> Iterator[Plan]:
    """Fewer faults."""
    for faults in _without_parts(plan.faults):
        yield replace(plan, faults=faults)


def without_deviations(plan: Plan) -> Iterator[Plan]:
    """Fewer deviations."""
    for deviations in _without_parts(plan.deviations):
        yield replace(plan, deviations=deviations)


def without_nodes(plan: Plan) -> Iterator[Plan]:
    """Smaller clusters: the last nodes gone, or any one of them."""
    for nodes in range(1, plan.nodes):
        yield _without(plan, plan.names[nodes:])
    for name in plan.names:
        if plan.nodes > 1:
            yield _without(plan, (name,))


def fewer_clients(plan: Plan) -> Iterator[Plan]:
    """Less concurrency."""
    for concurrency in range(1, plan.concurrency):
        yield replace(plan, concurrency=concurrency)


def fewer_ops(plan: Plan) -> Iterator[Plan]:
    """Shorter workloads, and slower ones."""
    for time_limit_s in _rounder(plan.time_limit_s, least=0.01):
        yield replace(plan, time_limit_s=time_limit_s)
        # As many ops in less time.
        yield replace(
            plan, time_limit_s=time_limit_s, rate=round(plan.rate * plan.time_limit_s / time_limit_s, 3)
        )
    for rate in _rounder(plan.rate, least=0.1):
        yield replace(plan, rate=rate)


def simpler_latency(plan: Plan) -> Iterator[Plan]:
    """Latencies that do not vary, or vary simply."""
    low, high = plan.latency.low_ms, plan.latency.high_ms
    for ms in (1.0, 2.0, 5.0, 10.0, low, high):
        yield replace(plan, latency=Latency("constant", ms, ms))
    if plan.latency.kind != "constant":
        yield replace(plan, latency=Latency("uniform", low, high))
        for ms in _rounder(low):
            yield replace(plan, latency=Latency(plan.latency.kind, ms, max(ms, high)))
        for ms in _rounder(high):
            yield replace(plan, latency=Latency(plan.latency.kind, low, max(ms, low)))


def simpler_faults(plan: Plan) -> Iterator[Plan]:
    """Faults that touch less, begin and end at round times, and leave nothing to chance."""
    for at, fault in enumerate(plan.faults):
        for simpler in _simpler_fault(fault):
            yield replace(plan, faults=(*plan.faults[:at], simpler, *plan.faults[at + 1 :]))


def simpler_deviations(plan: Plan) -> Iterator[Plan]:
    """Deviations by round numbers."""
    for at, deviation in enumerate(plan.deviations):
        for ms in _rounder(deviation.ms):
            simpler = replace(deviation, ms=ms)
            yield replace(plan, deviations=(*plan.deviations[:at], simpler, *plan.deviations[at + 1 :]))


def smaller_seed(plan: Plan) -> Iterator[Plan]:
    """A seed that is easier to write down."""
    for seed in range(min(plan.seed, 10)):
        yield replace(plan, seed=seed)


SMALLER_CLUSTERS = _with_other_seeds(without_nodes)

PASSES: tuple[Pass, ...] = (
    nothing_asked_for,
    _with_other_seeds(without_faults),
    without_deviations,
    SMALLER_CLUSTERS,
    _with_other_seeds(fewer_clients),
    _with_other_seeds(fewer_ops),
    _with_other_seeds(simpler_latency),
    simpler_faults,
    simpler_deviations,
    smaller_seed,
)


def _without_parts(whole: Sequence[_T]) -> Iterator[tuple[_T, ...]]:
    """The whole without ever smaller parts of it: all, halves, quarters, ..., single elements."""
    size = len(whole)
    while size > 0:
        for start in range(0, len(whole), size):
            yield (*whole[:start], *whole[start + size :])
        size //= 2


def _without(plan: Plan, gone: Sequence[str]) -> Plan:
    """The plan without some of its nodes; those that stay are numbered anew."""
    staying = [name for name in plan.names if name not in gone]
    new = {name: f"n{number}" for number, name in enumerate(staying, start=1)}
    faults = (_renamed(fault, new) for fault in plan.faults)
    return replace(plan, nodes=len(staying), faults=tuple(fault for fault in faults if fault is not None))


def _renamed(fault: Fault, new: dict[str, str]) -> Fault | None:
    """The fault among the nodes that have a new name; None if it has no object left."""
    nodes = tuple(new[name] for name in fault.nodes if name in new)
    links = tuple((new[a], new[b]) for a, b in fault.links if a in new and b in new)
    grudge = {
        new[receiver]: tuple(new[sender] for sender in senders if sender in new)
        for receiver, senders in fault.grudge.items()
        if receiver in new
    }
    grudge = {receiver: senders for receiver, senders in grudge.items() if senders}
    if (fault.nodes and not nodes) or (fault.links and not links) or (fault.grudge and not grudge):
        return None
    return replace(fault, nodes=nodes, links=links, grudge=grudge)


def _simpler_fault(fault: Fault) -> Iterator[Fault]:
    for nodes in _without_parts(fault.nodes):
        if nodes:
            yield replace(fault, nodes=nodes)
    for links in _without_parts(fault.links):
        if links:
            yield replace(fault, links=links)
    for cuts in _without_parts([(a, b) for a, senders in fault.grudge.items() for b in senders]):
        if cuts:
            yield replace(fault, grudge=_grudge(cuts))
    if fault.probability:
        yield replace(fault, probability=1.0)
    for at_ms in _rounder(fault.at_ms):
        yield replace(fault, at_ms=int(at_ms))
    for for_ms in _rounder(fault.for_ms, least=1):
        yield replace(fault, for_ms=int(for_ms))
    for ms in _rounder(abs(fault.ms)):
        yield replace(fault, ms=-ms if fault.ms < 0 < ms else ms)
    for after in _rounder(fault.after):
        yield replace(fault, after=int(after))
    if fault.rate != 1.0:
        for rate in (2.0, 0.5, 10.0, 0.1):
            yield replace(fault, rate=rate)


def _grudge(cuts: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    grudge: dict[str, tuple[str, ...]] = {}
    for receiver, sender in cuts:
        grudge[receiver] = (*grudge.get(receiver, ()), sender)
    return grudge


def _rounder(number: float, *, least: float = 0.0) -> Iterator[float]:
    """Simpler numbers in the place of this one: the least first, then 1-2-5 steps up to it, then rounded."""
    if number <= least:
        return
    yield least
    step = 10.0**-3
    while step < number:
        for factor in (1, 2, 5):
            if least < (value := round(step * factor, 6)) < number:
                yield value
        step *= 10
    for digits in (-2, -1, 0, 1):
        if least < (value := float(round(number, digits))) != number:
            yield value
