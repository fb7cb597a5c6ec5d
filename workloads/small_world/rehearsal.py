"""A schedule of a small world as a plan for the simulator, found by rehearsing.

Each step gets a time, far enough apart that what it causes is over before the next. Asks and crashes happen
at their times because the plan says so. Messages go where and when the schedule wants them by deviations, and
a deviation goes by a message's number: so the plan is run, the first messages that are not yet accounted for
are looked up in the schedule (they arrive at their step's time, or never), and it is run again, until every
message sent before the last step has its deviation.

Not every schedule can be had like this. A real node hears its own proposal at once, its timers run out by the
clock, and a connection dies with the process at its end. Whether it worked is seen by running the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count

from msgspec.structs import replace

from ostrakon.harness.plan import Deviation, Fault, Latency, Plan
from ostrakon.harness.resolution import resolve
from ostrakon.harness.sim.network.network import LinkMessage as Sent
from ostrakon.harness.simulation import simulate
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Workload
from ostrakon.paxos_impl.core import Accepted, Message
from ostrakon.paxos_impl.wire.decree import Envelope, read_incoming
from ostrakon.paxos_impl.wire.frame import FrameReader
from ostrakon.workloads.small_world.step import Ask, Crash, Deliver, Fire, Learn, Step

LATENCY_MS = 1
APART_MS = 30
"""The time between steps: more than a handshake and a slow disk take together."""
AFTER_CRASH_MS = 150
"""The time in which the others connect anew."""
TIMER_MS = 400
"""Within this time, a timer that the schedule needs has fired."""
EARLY_MS = 0.1
"""Each step comes so much before its time, so that a power failure finds the disk busy."""
HANDSHAKE_MS = 3 * LATENCY_MS
REHEARSALS_MAX = 60
SEEDS = 4
"""The number of disks that are tried: the speed of a disk can decide what a power failure leaves."""


def plan_for_simulator(
    schedule: Sequence[Step], plan: Plan, workload: Workload, property: str, lost: Collection[int]
) -> Plan | None:
    """A plan on the substrate `sim` that breaks the same property; None if none was found.

    `lost` has the numbers of the crashes that lose what is being written.
    """
    times_ms = _times(schedule, lost)
    for seed in range(SEEDS):
        rehearsed = _rehearse(schedule, replace(plan, seed=seed), workload, times_ms, lost)
        broken = {anomaly.get("property") for anomaly in run(rehearsed, workload=workload).anomalies}
        if property in broken:
            return rehearsed
    return None


def _rehearse(
    schedule: Sequence[Step], plan: Plan, workload: Workload, times_ms: Sequence[int], lost: Collection[int]
) -> Plan:
    rehearsed = _begin(schedule, plan, times_ms, lost)
    wanted = _wanted(schedule, times_ms)
    for _ in range(REHEARSALS_MAX):
        sent: list[Sent] = []
        simulate(resolve(rehearsed, workload), tap=sent.append)
        decided = _decide(sorted(sent), rehearsed, wanted, until_ms=times_ms[-1])
        if decided == rehearsed.deviations:
            break
        rehearsed = replace(rehearsed, deviations=decided)
    return rehearsed


@dataclass(slots=True)
class _Wanted:
    """A message that has to arrive, and when."""

    mail: tuple[int, int, Message]
    at_ms: int


def _times(schedule: Sequence[Step], lost: Collection[int]) -> list[int]:
    """When each step happens; a crash that loses something, as soon as what it loses is being written."""
    times, now_ms = [], APART_MS
    for number, step in enumerate(schedule, start=1):
        if number not in lost:
            now_ms += TIMER_MS if isinstance(step, Fire) else APART_MS
        times.append(now_ms)
        now_ms += AFTER_CRASH_MS if isinstance(step, Crash) else 0
    return times


def _begin(schedule: Sequence[Step], plan: Plan, times_ms: Sequence[int], lost: Collection[int]) -> Plan:
    """The plan without deviations of messages."""
    timed = list(zip(count(1), schedule, times_ms))
    asks = [
        [at_ms - HANDSHAKE_MS - EARLY_MS, step.node, step.value]
        for _, step, at_ms in timed
        if isinstance(step, Ask)
    ]
    faults = tuple(
        Fault(
            "power_loss" if number in lost else "kill",
            at_ms=at_ms,
            for_ms=APART_MS,
            nodes=(f"n{step.node}",),
        )
        for number, step, at_ms in timed
        if isinstance(step, Crash)
    )
    return replace(
        plan,
        substrate="sim",
        concurrency=plan.nodes * max(1, len(asks)),
        latency=Latency("constant", LATENCY_MS, LATENCY_MS),
        time_limit_s=times_ms[-1] / 1000 + 1.0,
        options={"asks": asks},
        faults=faults,
    )


def _wanted(schedule: Sequence[Step], times_ms: Sequence[int]) -> list[_Wanted]:
    """The messages between nodes that have to arrive, in order."""
    wanted = []
    for step, at_ms in zip(schedule, times_ms, strict=True):
        match step:
            case Deliver(sender, node, message) if sender != node:
                wanted.append(_Wanted((sender, node, message), at_ms))
            case Learn(node, vote, voters):
                voted = Accepted(vote.ballot, vote.value)
                wanted += [_Wanted((voter, node, voted), at_ms) for voter in voters if voter != node]
    return wanted


def _decide(
    sent: Sequence[Sent], plan: Plan, wanted: Sequence[_Wanted], *, until_ms: int
) -> tuple[Deviation, ...]:
    """The deviations known so far, and those of the messages that were sent in one latency from the first
    that has none: what happens to these cannot have changed whether they are sent, or their numbers."""
    known = {deviation.message: deviation for deviation in plan.deviations}
    left = list(wanted)
    horizon_ns: int | None = None
    for each in sent:
        if each.sent_ns > until_ms * 1_000_000 or (horizon_ns is not None and each.sent_ns >= horizon_ns):
            break
        if each.number not in known:
            horizon_ns = horizon_ns or each.sent_ns + LATENCY_MS * 1_000_000
        at_ms = _take(left, each)
        if each.number not in known:
            known[each.number] = _deviation(each, at_ms)
    return tuple(known[number] for number in sorted(known))


def _take(left: list[_Wanted], sent: Sent) -> int | None:
    """The time at which a message has to arrive, which is then taken; None if it does not have to."""
    mail = _mail(sent)
    for place, wanted in enumerate(left):
        if wanted.mail == mail and wanted.at_ms * 1_000_000 >= sent.sent_ns:
            return left.pop(place).at_ms
    return None


def _deviation(sent: Sent, at_ms: int | None) -> Deviation:
    if at_ms is None:
        return Deviation(sent.number, "drop")
    late_ms = at_ms - EARLY_MS - LATENCY_MS - sent.sent_ns / 1e6
    return Deviation(sent.number, "delay", max(0.0, round(late_ms, 3)))


def _mail(sent: Sent) -> tuple[int, int, Message] | None:
    for body in FrameReader().feed(sent.payload):
        if isinstance(envelope := read_incoming(body), Envelope):
            return _number(sent.sender), _number(sent.receiver), envelope.message
    return None


def _number(name: str) -> int:
    return int(name.removeprefix("n"))
