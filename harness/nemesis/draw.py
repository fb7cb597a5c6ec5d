"""Drawing the faults of a trial: which, when, how long and at whom, from one source of randomness."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Sequence

from msgspec.structs import replace

from harness.nemesis.grudge import majority_of
from harness.nemesis.kinds import FAULTS, FaultKind, fault_kinds
from harness.nemesis.target import TARGETS
from harness.plan import MESSAGE_KINDS, Fault

_GAP_MS = 600
"""Mean time from the beginning of one fault to the next, if there is that much: they overlap at times, and at
times all is well."""
_SHORTEST_MS = 5


def draw_faults(
    rng: random.Random,
    nodes: Sequence[str],
    kinds: Sequence[str],
    time_limit_s: float,
    *,
    begin_by_s: float = math.inf,
    keep_majority: bool = False,
    steady_s: float | None = None,
    targets: Collection[str] = tuple(TARGETS),
) -> tuple[Fault, ...]:
    """Faults of these kinds (names of `FAULTS` or `GROUPS`, or with a target), in order of time.

    All begin before `begin_by_s` and are over before the time limit. Every kind gets its turn, and gets it
    before any comes again. They overlap at random, or, with `steady_s`, there is one at a time: each lasts so
    long, and then all is well for as long. With `keep_majority` there is never less than a majority that is
    neither paused nor down, and a fault that would need one, or may, is left out; partitions are not counted.

    Raises: UnknownFault.
    """
    chosen = fault_kinds(kinds, rng, targets)
    end_ms = math.ceil(time_limit_s * 1000) - 1
    last_ms = min(begin_by_s * 1000, end_ms - _SHORTEST_MS)
    if steady_s is None:
        beginnings = _beginnings(last_ms, len(chosen), rng)
    else:
        beginnings = [at_ms for at_ms in _in_steady_turn(end_ms, steady_s * 1000) if at_ms <= last_ms]
    faults: list[Fault] = []
    for at_ms, kind in zip(beginnings, _in_turn(chosen, rng), strict=False):
        for_ms = _length(kind, rng) if steady_s is None else round(steady_s * 1000)
        candidates = nodes
        if keep_majority and kind.takes_down:
            down = _down(faults, at_ms)
            spare = max(0, len(nodes) - majority_of(nodes) - len(down))
            candidates = down + rng.sample([node for node in nodes if node not in down], spare)
        fault = Fault(
            kind=kind.kind, at_ms=at_ms, for_ms=min(for_ms, end_ms - at_ms), **kind.aim(candidates, rng)
        )
        if kind.name != kind.kind:
            fault = replace(fault, asked=kind.name)
        if _strikes_someone(fault) and not (keep_majority and kind.takes_down and fault.target):
            faults.extend(kind.unfold(fault, rng))
    return tuple(sorted(faults, key=lambda fault: fault.at_ms))


def _strikes_someone(fault: Fault) -> bool:
    """A cluster may be too small for that."""
    aimed = fault.nodes or fault.grudge or fault.links or fault.target
    return bool(aimed) or (fault.kind in MESSAGE_KINDS and fault.probability > 0)


def _in_steady_turn(end_ms: int, steady_ms: float) -> list[int]:
    """As long as each fault is the calm before it."""
    count = int(end_ms // (2 * steady_ms))
    return [round(steady_ms * (2 * turn + 1)) for turn in range(count)]


def _beginnings(last_ms: float, count_min: int, rng: random.Random) -> list[int]:
    """Moments up to the last at random, some `_GAP_MS` apart or less, so that there are enough."""
    if last_ms < 0:
        return []
    gap_ms = max(1.0, min(_GAP_MS, last_ms / (count_min + 1)))
    moments: list[float] = []
    at_ms = rng.uniform(0, min(gap_ms, last_ms))
    while at_ms <= last_ms:
        moments.append(at_ms)
        at_ms += rng.expovariate(1 / gap_ms)
    if len(moments) < count_min:
        moments = sorted(rng.uniform(0, last_ms) for _ in range(count_min))
    return [math.floor(moment) for moment in moments]


def _down(faults: Sequence[Fault], at_ms: int) -> list[str]:
    """The nodes that are still paused or down at a time, or come back at that very instant."""
    late = [fault for fault in faults if fault.at_ms + fault.for_ms >= at_ms]
    return sorted({node for fault in late if FAULTS[fault.kind].takes_down for node in fault.nodes})


def _in_turn(kinds: Sequence[FaultKind], rng: random.Random) -> Iterator[FaultKind]:
    while kinds:
        yield from rng.sample(kinds, len(kinds))


def _length(kind: FaultKind, rng: random.Random) -> int:
    # Log-uniform: as many faults around 100 ms as around a second.
    return round(math.exp(rng.uniform(math.log(kind.ms_min), math.log(kind.ms_max))))
