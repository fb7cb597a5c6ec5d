"""Plays a generator as a discrete-event simulation, without a cluster or a clock: for tests of generators."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from ostrakon.harness.generator.op_request import ImpossibleGenerator
from ostrakon.harness.generator.scheduler import Scheduler
from ostrakon.harness.generator.source import Source
from ostrakon.harness.history import Op

Complete = Callable[[Op], Op | None]
"""Returns the completion of an invoked op, with its `time`; None if the op never completes."""

_LATENCY_NS = 10_000_000
_ENDINGS: tuple[Literal["fail", "info", "ok"], ...] = ("fail", "info", "ok")


def quick(op: Op) -> Op:
    """Every op is ok immediately."""
    return replace(op, type=_well(op))


def perfect(op: Op) -> Op:
    """Every op is ok after 10 ms."""
    return replace(op, type=_well(op), time=op.time + _LATENCY_NS)


def imperfect(op: Op) -> Op:
    """Ops end after 10 ms as fail, info and ok in turn."""
    ending = _ENDINGS[op.index // 2 % 3] if op.is_client else "info"
    return replace(op, type=ending, time=op.time + _LATENCY_NS)


def play(
    source: Source,
    *,
    complete: Complete = perfect,
    concurrency: int = 2,
    nemesis: bool = False,
    ops_max: int = 1_000_000,
) -> list[Op]:
    """The history of a generator whose ops end as `complete` says.

    Time is virtual and begins at 0. There is a nemesis thread only if it is requested.

    Raises: ImpossibleGenerator, if the generator waits for an event that cannot happen or has more than
    `ops_max` ops; MalformedOp; any exception of the generator.
    """
    scheduler = Scheduler(source, concurrency, nemesis=nemesis)
    history: list[Op] = []
    due: list[tuple[int, int, Op]] = []  # Sorted by time, then in order of invocation.
    now_ns = 0
    while True:
        # Completions come first: an op that has ended when another begins is not concurrent with it.
        while due and due[0][0] <= now_ns:
            history.append(scheduler.end(heapq.heappop(due)[2]))
        if (move := scheduler.next(now_ns)) is None:
            return history
        if isinstance(move, Op):
            history.append(move)
            if (completion := complete(move)) is not None:
                heapq.heappush(due, (completion.time, move.index, completion))
        elif move.until_ns is None and not due:
            if scheduler.ended:
                return history  # What is still in flight was never answered.
            raise ImpossibleGenerator("the generator waits for ops that are never answered")
        else:
            now_ns = min([end[0] for end in due[:1]] + ([] if move.until_ns is None else [move.until_ns]))
        if len(history) > ops_max:
            raise ImpossibleGenerator(
                f"the generator did not end within {ops_max} ops; bound it by limit(...) or time_limit(...)"
            )


def _well(op: Op) -> Literal["ok", "info"]:
    return "ok" if op.is_client else "info"
