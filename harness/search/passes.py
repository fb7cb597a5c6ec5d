"""What can be left out of a plan: each pass proposes simpler plans, the boldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import floor, log10
from typing import TypeVar

from msgspec.structs import replace

from ostrakon.harness.plan import Deviation, Fault, Latency, Plan
from ostrakon.harness.search.smallest import said_and_heard

Pass = Callable[[Plan], Iterator[Plan]]
"""Proposes simpler plans. Not all of them are, by `complexity`, and not all of them can be run."""

_T = TypeVar("_T")

_TIMERS_MS = 500
"""By then most timers have fired."""
_SEEDS = 3
"""With how many other seeds a smaller plan is tried: what is left out shifts all that was drawn."""


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


def no_rare_branches(plan: Plan) -> Iterator[Plan]:
    """Programs that go their usual way."""
    yield replace(plan, buggify=0.0)


def without_faults(plan: Plan) -> Iterator[Plan]:
    """Fewer faults."""
    for faults in _without_parts(plan.faults):
        yield replace(plan, faults=faults)


def one_fault(plan: Plan) -> Iterator[Plan]:
    """One fault in the place of several: each of them, or a node cut off from when one of them begins."""
    if len(plan.faults) < 2:
        return
    end_ms = int(1000 * plan.time_limit_s)
    for fault in plan.faults:
        yield replace(plan, faults=(fault,))
    for at_ms in sorted({fault.at_ms for fault in plan.faults if fault.at_ms < end_ms}):
        for name in plan.names:
            others = tuple(other for other in plan.names if other != name)
            grudge = {name: others, **dict.fromkeys(others, (name,))}
            yield replace(plan, faults=(Fault("partition", at_ms, end_ms - at_ms, grudge=grudge),))


def without_deviations(plan: Plan) -> Iterator[Plan]:
    """Fewer deviations."""
    for deviations in _without_parts(plan.deviations):
        yield replace(plan, deviations=deviations)


def fewer_options(plan: Plan) -> Iterator[Plan]:
    """Options left as they usually are, and shorter lists of what an option asks for."""
    for name, value in plan.options.items():
        yield replace(plan, options={other: plan.options[other] for other in plan.options if other != name})
        if isinstance(value, list | tuple):
            for shorter in _without_parts(value):
                yield replace(plan, options={**plan.options, name: list(shorter)})


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


def aimed_faults(kinds: Sequence[str]) -> Pass:
    """One fault that strikes the messages of a kind, in the place of several faults and deviations."""

    def proposals(plan: Plan) -> Iterator[Plan]:
        for faults, deviations in _without_several(plan):
            for fault in _aimed(plan, kinds):
                yield replace(plan, faults=(*faults, fault), deviations=deviations)

    return proposals


PASSES: tuple[Pass, ...] = (
    nothing_asked_for,
    _with_other_seeds(no_rare_branches),
    _with_other_seeds(without_faults),
    without_deviations,
    _with_other_seeds(without_nodes),
    fewer_options,
    _with_other_seeds(fewer_clients),
    _with_other_seeds(fewer_ops),
    _with_other_seeds(simpler_latency),
    simpler_faults,
    simpler_deviations,
    smaller_seed,
)
"""All that is known of leaving out, what matters most first."""

QUICK_PASSES: tuple[Pass, ...] = (
    nothing_asked_for,
    no_rare_branches,
    without_faults,
    without_deviations,
    without_nodes,
    fewer_options,
    fewer_clients,
    fewer_ops,
    simpler_latency,
    simpler_faults,
    simpler_deviations,
    smaller_seed,
)
"""The same with the plan's own seed alone: a quarter of the runs, for plans with little to be left out."""


def _without_parts(whole: Sequence[_T]) -> Iterator[tuple[_T, ...]]:
    """The whole without ever smaller parts of it: all, halves, quarters, ..., single elements."""
    size = len(whole)
    while size > 0:
        for start in range(0, len(whole), size):
            yield (*whole[:start], *whole[start + size :])
        size //= 2


def _without_several(plan: Plan) -> Iterator[tuple[tuple[Fault, ...], tuple[Deviation, ...]]]:
    """The faults and deviations of a plan without two or more of them that stand together."""
    whole: tuple[Fault | Deviation, ...] = (*plan.faults, *plan.deviations)
    for left in _without_parts(whole):
        if len(left) <= len(whole) - 2:
            faults = tuple(part for part in left if isinstance(part, Fault))
            yield faults, tuple(part for part in left if isinstance(part, Deviation))


def _aimed(plan: Plan, kinds: Sequence[str]) -> Iterator[Fault]:
    """What loses, at least until timers have fired, all of one kind that anybody, or one node, says or hears;
    and all that one node says to two others, or hears from them."""
    for_ms = max(_TIMERS_MS, int(1000 * plan.time_limit_s))
    for kind in ("", *kinds):
        yield Fault("drop", 0, for_ms, probability=1.0, message=kind)
        for name in plan.names:
            said, heard = said_and_heard(name, plan.names)
            pairs = (*combinations(said, 2), *combinations(heard, 2)) if kind == "" else ()
            for links in dict.fromkeys((said, heard, *((link,) for link in (*said, *heard)), *pairs)):
                yield Fault("drop", 0, for_ms, links=links, probability=1.0, message=kind)


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
    # What is yet smaller is no simpler, and seldom does what is left of the plan still work with it.
    step = 10.0 ** (floor(log10(number)) - 1)
    while step < number:
        for factor in (1, 2, 5):
            if least < (value := round(step * factor, 6)) < number:
                yield value
        step *= 10
    for digits in (-2, -1, 0, 1):
        if least < (value := float(round(number, digits))) != number:
            yield value
