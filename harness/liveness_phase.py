"""The liveness phase: while a quorum has no faults, clients must succeed, whatever the other nodes do.

Healing all nodes at the end hides systems that wait for one node too many. So a smallest majority is drawn as
the core and healed, the other nodes get faults that never end, and the core must answer clients in bounded
time. TigerBeetle's simulator has the same liveness mode. The workload's checkers decide whether the members
of the core end in the same state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostrakon.harness.client import OVER, is_answered
from ostrakon.harness.faults import grudge
from ostrakon.harness.faults.grudge import Grudge, majority_of
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Fault, Plan
from ostrakon.harness.recording import Finding
from ostrakon.harness.substrates.no_progress import Waiting, circle, who_waits
from ostrakon.harness.substrates.seeds import substream

_QUIET_S = 5.0
"""A core that exchanges no message for this time, in seconds, counts as deadlocked."""


@dataclass(frozen=True, slots=True)
class LivenessPhase:
    """The nodes without faults, and the lasting faults of the other nodes."""

    core: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class CoreTraffic:
    """The number of messages that members of the core had sent to each other by a moment."""

    time_ns: int
    messages: int


def liveness_phase_of(plan: Plan) -> LivenessPhase | None:
    """The liveness phase of a plan; None if the plan does not test liveness."""
    if plan.liveness_s is None:
        return None
    return draw_liveness_phase(plan.names, int(plan.time_limit_s * 1000), substream(plan.seed, "siege"))


def draw_liveness_phase(nodes: Sequence[str], at_ms: int, rng: random.Random) -> LivenessPhase:
    """A random smallest majority as the core, and for each other node a fault that lasts."""
    core = tuple(sorted(rng.sample(sorted(nodes), majority_of(nodes))))
    return LivenessPhase(core, tuple(_lasting(node, nodes, at_ms, rng) for node in nodes if node not in core))


def liveness(
    phase: LivenessPhase,
    history: History,
    *,
    since_ns: int,
    concurrency: int,
    traffic: Sequence[CoreTraffic],
    waiting: Sequence[Waiting],
) -> list[Finding]:
    """The findings if the core made no progress in the liveness phase; empty if it did.

    Every op that a client invoked after `since_ns` must get an answer, which may be a refusal: either this op
    or a later one with the same `f`. `traffic` distinguishes deadlock from livelock: in a livelock the core
    still exchanged messages at the end. `waiting` has the tasks that wait, each with its place and node.
    """
    if not any(op.type == "invoke" and op.time >= since_ns for op in history.clients):
        return [Finding("no evidence", "unknown", "nobody asked the core for anything once it was alone")]
    unmet = list(_unmet(history, since_ns, concurrency))
    if not unmet:
        return []
    name = "livelock" if _is_talking(traffic) else "deadlock"
    what = "its nodes go on exchanging messages" if name == "livelock" else "its nodes have fallen silent"
    struck = ", ".join(f"{fault.kind} of {fault.shape}" for fault in phase.faults) or "nothing else amiss"
    why = (
        f"the core {', '.join(phase.core)} was well for good ({struck}), and yet {'; '.join(unmet[:3])}; "
        f"{what}; {_who_waits(waiting)}"
    )
    return [Finding(name, "invalid", why)]


def _who_waits(waiting: Sequence[Waiting]) -> str:
    told = f"who waits for what: {'; '.join(who_waits(waiting)) or 'nobody'}"
    if ring := circle(waiting):
        told += f"; in a circle: {' waits for '.join([*ring, ring[0]])}"
    return told


def _lasting(victim: str, nodes: Sequence[str], at_ms: int, rng: random.Random) -> Fault:
    kind = rng.choice(("kill", "pause", "partition", "partition"))
    if kind != "partition":
        return Fault(kind, at_ms, 0, nodes=(victim,), shape=victim)
    shape = rng.choice((_isolated, grudge.send_only, grudge.receive_only))
    return Fault(kind, at_ms, 0, grudge=shape(nodes, victim), shape=victim)


def _isolated(nodes: Sequence[str], victim: str) -> Grudge:
    return grudge.isolate(nodes, [victim])


def _unmet(history: History, since_ns: int, concurrency: int) -> Iterator[str]:
    """The kinds of op that a client tried and never got an answer for.

    A client that continues as a new process is still the same client. An op that began shortly before the
    end may be unanswered.
    """
    undone: dict[tuple[int, str], list[Op]] = {}
    last: Op | None = None
    for op in history.clients:
        assert isinstance(op.process, int)
        key, last = (op.process % concurrency, op.f), op
        if op.type == "invoke" and op.time >= since_ns:
            undone.setdefault(key, []).append(op)
        elif is_answered(op):
            undone.pop(key, None)
    is_cut_short = last is not None and (last.error or "").startswith(OVER)
    for (client, f), tries in undone.items():
        assert last is not None
        if not is_cut_short or last.time - tries[0].time > _QUIET_S * 1e9:
            count = len(tries)
            yield f"client {client} tried to {f} {count} time{'s' if count > 1 else ''} in vain"


def _is_talking(traffic: Sequence[CoreTraffic]) -> bool:
    """Whether the core sent messages in the last `_QUIET_S` seconds."""
    if not traffic:
        return False
    end = traffic[-1]
    earlier = [at for at in traffic if at.time_ns <= end.time_ns - _QUIET_S * 1e9]
    return end.messages > (earlier[-1] if earlier else traffic[0]).messages
