"""Draws faults that wait for moments: each begins at the event that it waited for.

A fault at a random time seldom comes between two events that follow each other within a millisecond. Here
every kind of event is as likely as any other, so that the rare ones, such as the installation of a snapshot,
are met as often as votes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ostrakon.harness.faults.draw import between
from ostrakon.harness.faults.grudge import isolate
from ostrakon.harness.plan import Fault

_FAULTS_MAX = 6
"""The maximum number of such faults in a plan."""
_PASSES, _PASSED_MAX = 0.5, 12
"""The probability that a fault lets some moments pass before it begins, and the maximum number of these. Rare
events do not occur more often than this."""
_LAGGARD = 0.4
"""The probability that a node is first cut off for some time, so that it must catch up."""
_DEPOSED = 0.5
"""The probability of a fault of the leader, so that there is at least one election."""
_MINORITY = 0.4
"""The probability that a minority is paused and cut off, instead of the leader alone."""
_OPERATIONS = ("write", "sync", "sync")
"""The operations of a disk at which a machine can lose power."""
_WAITS_FROM = 0.7
"""The part of the trial in which faults may begin to wait."""


class Aims(NamedTuple):
    """The possible targets of faults of a workload."""

    moments: Sequence[str]
    """The names of the moments that a fault can wait for."""
    messages: Sequence[str]
    """The kinds of messages."""
    has_leaders: bool
    """Whether a fault can be aimed at the leader."""


def moment_faults(
    rng: random.Random, names: Sequence[str], aims: Aims, time_limit_s: float, *, lags: bool
) -> Iterator[Fault]:
    """Faults that wait for moments, for a plan with nodes of these names.

    If it `lags`, a node is cut off for long, and most faults wait until that node is back.
    """
    end_ms = int(1000 * time_limit_s)
    back_ms = 0
    if lags or rng.random() < _LAGGARD:
        laggard = _laggard(rng, names, end_ms)
        back_ms = laggard.at_ms + laggard.for_ms if lags else 0
        yield laggard
    if aims.has_leaders and rng.random() < _DEPOSED:
        yield from _deposed(rng, names, end_ms)
    for _ in range(rng.randint(1, _FAULTS_MAX)):
        at_ms = rng.choice((back_ms, back_ms, rng.randint(0, int(_WAITS_FROM * end_ms))))
        yield Fault(
            at_ms=at_ms,
            for_ms=max(1, end_ms - at_ms),
            when=rng.choice(aims.moments),
            passed=int(between(1, _PASSED_MAX)(rng)) if rng.random() < _PASSES else 0,
            lasts_ms=int(between(5, 800)(rng)),
            **rng.choices(_DRAWN, _WEIGHTS)[0](rng, names, aims.messages),
        )


def _laggard(rng: random.Random, names: Sequence[str], end_ms: int) -> Fault:
    victim = rng.choice(names)
    at_ms, for_ms = rng.randint(0, end_ms // 4), int(rng.uniform(0.2, 0.6) * end_ms)
    if rng.random() < 0.5:
        return Fault(rng.choice(("kill", "pause")), at_ms, for_ms, nodes=(victim,))
    return Fault("partition", at_ms, for_ms, grudge=isolate(names, [victim]), shape="one")


def _deposed(rng: random.Random, names: Sequence[str], end_ms: int) -> Iterator[Fault]:
    """The leader is struck; or it stands still, or its clock is slow, while it is cut off. Then it still
    believes that it leads when another node does, and clients may ask it.
    """
    at_ms = rng.randint(end_ms // 5, end_ms - 1)
    for_ms = min(int(between(100, 600)(rng)), end_ms - at_ms)
    kind = rng.choice(("kill", "partition", "pause and cut", "pause and cut", "slow and cut"))
    if kind in ("kill", "partition"):
        shape = rng.choice(("", "send-only", "receive-only")) if kind == "partition" else ""
        yield Fault(kind, at_ms, for_ms, target="leader", shape=shape)
        return
    if len(names) >= 5 and rng.random() < _MINORITY:
        # A leader may have a follower left that answers it.
        minority = tuple(rng.sample(names, (len(names) - 1) // 2))
        yield Fault(rng.choice(("pause", "suspend")), at_ms, max(1, for_ms // 2), nodes=minority)
        yield Fault("partition", at_ms, for_ms, grudge=isolate(names, minority))
        return
    if kind == "pause and cut":
        yield Fault(rng.choice(("pause", "suspend")), at_ms, max(1, for_ms // 2), target="leader")
    else:
        yield Fault("clock_skew", at_ms, for_ms, target="leader", rate=between(0.7, 0.95, 2)(rng))
    cut_ms = min(at_ms + 1, end_ms - 1)
    yield Fault("partition", cut_ms, min(for_ms, end_ms - cut_ms), target="leader")


Fields = Mapping[str, Any]


def _whom(rng: random.Random) -> dict[str, Any]:
    """The node that reported the event, mostly; else those that it spoke to, or all others."""
    return {"target": rng.choice(("", "", "", "receiver", "others"))}


def _crash(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    return {"kind": rng.choice(("kill", "power_loss")), **_whom(rng)}


def _crash_of_all(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    return {"kind": rng.choice(("power_loss", "power_loss", "kill")), "nodes": tuple(names)}


def _crash_at_sync(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    operation = rng.choice(_OPERATIONS)
    options = {"operation": operation} if operation != "sync" else {}
    return {"kind": "crash_at_sync", "after": rng.choice((0, 0, 1, 2, 4)), "options": options, **_whom(rng)}


def _pause(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    return {"kind": rng.choice(("pause", "suspend")), **_whom(rng)}


def _partition(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    shape = rng.choice(("", "", "send-only", "receive-only"))
    return {"kind": "partition", "shape": shape, "target": rng.choice(("", "", "receiver"))}


def _clock(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    if rng.random() < 0.5:
        rate = rng.choice((between(1.05, 1.3, 2)(rng), between(0.7, 0.95, 2)(rng)))
        return {"kind": "clock_skew", "rate": rate, **_whom(rng)}
    return {"kind": "clock_jump", "ms": rng.choice((-1, 1)) * between(20, 2000, 1)(rng), **_whom(rng)}


def _message(rng: random.Random, names: Sequence[str], messages: Sequence[str]) -> Fields:
    kind = rng.choice(("drop", "reorder", "reorder", "duplicate"))
    return {
        "kind": kind,
        "target": rng.choice(("said", "heard", "said", "heard", "")),
        "probability": rng.choice((1.0, 1.0, 0.5)),
        "message": rng.choice(messages) if messages and rng.random() < 0.6 else "",
        "most": rng.choice((0, 1, 1, 2, 4)),
        "after": rng.choice((0, 0, 0, 1, 2)),
        **({} if kind == "drop" else {"ms": between(10, 1500, 1)(rng)}),
    }


_DRAWN: tuple[Callable[[random.Random, Sequence[str], Sequence[str]], Fields], ...] = (
    *(_crash, _crash_of_all, _crash_at_sync, _pause, _partition, _clock, _message),
)
_WEIGHTS = (5, 2, 4, 2, 3, 1, 5)
