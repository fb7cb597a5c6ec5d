"""Everything that was drawn for a trial, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ostrakon.harness.history.plural import count

if TYPE_CHECKING:
    from ostrakon.harness.plan import Deviation, Fault, Plan


def banner(plan: Plan) -> list[str]:
    """A plan in lines: cluster, clients, network, which faults how often and which not, each in turn."""
    return [
        *_setting(plan),
        *_rates(plan),
        *map(told_fault, plan.faults),
        *map(_told_deviation, plan.deviations),
    ]


def told_fault(fault: Fault) -> str:
    """A fault in a line: when, what, to whom, and how hard."""
    end_ms = fault.at_ms + fault.for_ms
    return f"  {fault.at_ms:>6} to {end_ms:>6} ms  {', '.join([fault.kind, *_particulars(fault)])}"


def _setting(plan: Plan) -> Iterator[str]:
    bug = f" with the bug {plan.bug}" if plan.bug else ""
    yield f"  {plan.workload}{bug} on {plan.substrate}, seed {plan.seed}, {count(plan.nodes, 'node')}"
    yield f"  {count(plan.concurrency, 'client')}, {plan.rate:g} ops/s for {plan.time_limit_s:g} s"
    latency = plan.latency
    span = (
        f"{latency.low_ms:g} ms"
        if latency.kind == "constant"
        else f"{latency.low_ms:g}, {latency.high_ms:g} ms"
    )
    yield f"  latency {latency.kind} {span}"
    yield f"  rare branches at work with probability {plan.buggify:g}"
    for name, value in plan.options.items():
        yield f"  option {name}={value!r}"
    if plan.liveness_s is not None:
        from ostrakon.harness.liveness_phase import liveness_phase_of

        if (phase := liveness_phase_of(plan)) is not None:
            lasting = ", ".join(f"{fault.kind} of {fault.shape}" for fault in phase.faults) or "nothing"
            yield f"  in the end {', '.join(phase.core)} are well for good, {lasting} lasts"


def _rates(plan: Plan) -> Iterator[str]:
    """How often each kind of fault comes, and which of the usual ones never do."""
    from ostrakon.harness.faults.registry import SURVIVABLE

    counts = Counter(fault.asked or fault.kind for fault in plan.faults)
    rates = (f"{name} {count / plan.time_limit_s:.2g}/s" for name, count in sorted(counts.items()))
    yield f"  faults: {', '.join(rates) or 'none'}"
    off = sorted(set(SURVIVABLE) - {fault.kind for fault in plan.faults})
    yield f"  off: {', '.join(off) or 'none'}"


def _particulars(fault: Fault) -> Iterator[str]:
    """What of a fault's fields is not as always."""
    if fault.shape:
        yield fault.shape
    if fault.target:
        yield f"on the {fault.target} of that moment"
    if fault.nodes:
        yield f"on {' '.join(fault.nodes)}"
    if fault.grudge:
        yield "; ".join(f"{to} does not hear {' '.join(senders)}" for to, senders in fault.grudge.items())
    if fault.links and not fault.shape:
        yield " ".join(f"{sender}>{receiver}" for sender, receiver in fault.links)
    if fault.probability:
        yield f"probability {fault.probability:g}"
    if fault.ms:
        yield f"{fault.ms:g} ms"
    if fault.rate != 1.0:
        yield f"rate {fault.rate:g}"
    if fault.message:
        yield f"only {fault.message}"
    if fault.after:
        yield f"after {fault.after}"
    if fault.most:
        yield f"at most {fault.most}"


def _told_deviation(deviation: Deviation) -> str:
    ms = f" {deviation.ms:g} ms" if deviation.ms else ""
    return f"  message {deviation.message}: {deviation.action}{ms}"
