"""When did a failure become inevitable? Other futures of a trial, from snapshots taken with `os.fork`.

A simulated world is one process of the operating system without threads, so a fork is a snapshot of
everything: the world, the programs, their stacks. At chosen moments the trial forks children. Each child
draws its chance anew, begins none of the faults that the plan has left, and runs to a verdict of its own.
The trial itself goes on as if nothing had happened, with the same digest.

The share of futures that fail, moment by moment, is a curve. Where it steps up, something happened after
which the failure could hardly be avoided.
"""

from __future__ import annotations

import ctypes
import math
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ostrakon.harness.history import Event, Op
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.resolution import resolve
from ostrakon.harness.simulation import Branch, simulate
from ostrakon.harness.trial import Trial, judge
from ostrakon.harness.workload import Workload

_FUTURE_LIMIT_S = 60.0
"""The wall time of one future. One that takes longer is ended and counts as lost."""
_Z = 1.96
"""For confidence intervals of 95 %."""
_ROUND = 4
"""So many moments at a time narrow the step down."""
_PR_SET_PDEATHSIG = 1
_SHORTLY_NS = 1
"""Snapshots are taken this long after an event, so that the event is part of the past."""


@dataclass(frozen=True, slots=True)
class MomentOutcome:
    """What became of the futures that began at one moment."""

    at_ns: int
    """True time since the trial began."""
    futures: int
    """How many came to a verdict."""
    failed: int
    """How many of these were invalid."""
    lost: int = 0
    """How many came to no verdict: they took too long or died."""

    @property
    def share(self) -> float:
        """The share of futures that failed; 0 if there is none."""
        return self.failed / self.futures if self.futures else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the share (Wilson 1927, which also holds for shares near 0 and
        1).
        """
        if not self.futures:
            return 0.0, 1.0
        n, p = self.futures, self.share
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        reach = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
        # The share itself always lies within it; rounding must not say otherwise.
        return max(0.0, min(p, middle - reach)), min(1.0, max(p, middle + reach))


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of futures that fail, over the time of a trial."""

    trial: Trial
    moments: tuple[MomentOutcome, ...]
    """In order of time."""

    @property
    def step(self) -> tuple[MomentOutcome, MomentOutcome] | None:
        """The two neighbours between which the share rises most; None if it never rises."""
        pairs = zip(self.moments, self.moments[1:], strict=False)
        before, after = max(pairs, key=lambda pair: pair[1].share - pair[0].share, default=(None, None))
        if before is None or after is None or after.share <= before.share:
            return None
        return before, after

    @property
    def happened(self) -> tuple[Event | Op, ...]:
        """What happened between the two moments of the step, in order of time."""
        if (step := self.step) is None:
            return ()
        before, after = step
        entries: list[Event | Op] = [*self.trial.trace, *self.trial.history]
        within = [entry for entry in entries if before.at_ns <= entry.time < after.at_ns]
        return tuple(sorted(within, key=lambda entry: entry.time))


def require_fork() -> None:
    """Raise `BadPlan` where a snapshot cannot be taken."""
    if not hasattr(os, "fork"):
        raise BadPlan(f"other futures need os.fork, which {sys.platform} does not have")
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        raise BadPlan(f"other futures need a process without threads, and this one has {names}")


def curve(
    trial: Trial,
    workload: Workload | None = None,
    *,
    moments: int = 20,
    futures: int = 30,
    workers: int = 2,
    enough: Callable[[], bool] = lambda: False,
) -> Curve:
    """Run a trial again and, at `moments` times, `futures` other futures, of which `workers` run at a time.

    A third of the moments are spread over the time until the failure showed. The others go where the curve
    rises most, between the single events there, a few at a time, so that each round narrows the step down.

    When `enough` says so, no further future is begun, and moments that are not complete are left out.

    Raises: BadPlan, where the plan is not for simulation or cannot be run, or where there is no fork.
    """
    if trial.plan.substrate != "sim":
        raise BadPlan(f"other futures are run in simulation; this plan is for {trial.plan.substrate!r}")
    require_fork()
    end_ns = _shown_ns(trial)
    coarse = max(2, moments // 3)
    found, at_ns = None, tuple(end_ns * number // (coarse - 1) for number in range(coarse))
    while at_ns:
        more = _curve(trial, workload, at_ns, Futures(futures, workers, enough))
        known = found.moments if found is not None else ()
        found = Curve(more.trial, tuple(sorted([*known, *more.moments], key=lambda moment: moment.at_ns)))
        left = moments - len(found.moments)
        step = found.step
        if step is None or left <= 0 or enough():
            break
        at_ns = _between(found, *step, at_most=min(left, _ROUND))
    assert found is not None, "there are at least two moments"
    return found


def _shown_ns(trial: Trial) -> int:
    """The time at which the failure had shown itself, or the end of the trial."""
    seen = (
        max((each["time"] for each in (*anomaly.get("ops", ()), *anomaly.get("events", ()))), default=0)
        for anomaly in trial.anomalies
    )
    return min((at_ns + _SHORTLY_NS for at_ns in seen if at_ns), default=int(trial.virtual_s * 1e9))


def _curve(trial: Trial, workload: Workload | None, at_ns: tuple[int, ...], futures: Futures) -> Curve:
    again = _run_again(trial.plan, workload, at_ns, futures)
    assert again.digest == trial.digest, (
        f"the snapshots changed the trial: {trial.digest} became {again.digest}"
    )
    return Curve(again, tuple(futures.moments))


def _between(found: Curve, before: MomentOutcome, after: MomentOutcome, *, at_most: int) -> tuple[int, ...]:
    """Moments right after the single events between two others, evenly chosen if there are too many."""
    times = sorted({entry.time + _SHORTLY_NS for entry in found.happened})
    within = [at for at in times if before.at_ns < at < after.at_ns]
    if len(within) <= at_most:
        return tuple(within)
    return tuple(within[number * len(within) // at_most] for number in range(at_most))


def _run_again(plan: Plan, workload: Workload | None, at_ns: tuple[int, ...], futures: Futures) -> Trial:
    """Run the trial. In a child that `futures` has forked, this never returns."""
    resolved = resolve(plan, workload)
    try:
        recording = simulate(resolved, branch=Branch(at_ns, futures.begin))
        judgement, findings = judge(plan, resolved.workload, recording)
        trial = Trial(plan, recording, judgement, findings, wall_s=0.0)
    except BaseException:
        if futures.is_child:
            futures.end("")
        raise
    if futures.is_child:
        futures.end(trial.valid)
    return trial


@dataclass(slots=True)
class Futures:
    """Forks the trial that is running in this process, and counts what becomes of the children."""

    count: int
    """How many children at each moment."""
    workers: int
    """How many of them run at a time."""
    enough: Callable[[], bool] = lambda: False
    """Whether no further child is to be begun."""
    moments: list[MomentOutcome] = field(default_factory=list)
    _pipe: int | None = None
    """In a child: where its verdict goes."""

    @property
    def is_child(self) -> bool:
        """Whether this process is one of the children."""
        return self._pipe is not None

    def begin(self, at_ns: int, simulation: Any) -> None:
        """At a moment of the trial: fork children and wait for them. Returns in the parent and in each
        child.
        """
        if self.is_child or self.enough():
            return  # A future has no futures of its own.
        running: dict[int, int] = {}
        verdicts: list[str] = []
        try:
            for number in range(self.count):
                if self.enough():
                    break
                if len(running) == self.workers:
                    verdicts += _collect(running)
                reader, writer = os.pipe()
                parent = os.getpid()
                child = os.fork()
                if child == 0:
                    for descriptor in (reader, *running):
                        os.close(descriptor)
                    self._pipe = writer
                    _die_with(parent)
                    simulation.branch_off(f"{at_ns}/{number}")
                    return
                os.close(writer)
                running[reader] = child
            while running:
                verdicts += _collect(running)
        finally:
            if not self.is_child:
                _kill(running)
        lost = sum(1 for verdict in verdicts if not verdict)
        failed = sum(1 for verdict in verdicts if verdict == "invalid")
        self.moments.append(MomentOutcome(at_ns, len(verdicts) - lost, failed, lost))

    def end(self, verdict: str) -> NoReturn:
        """In a child: say what it came to, and end without running anything else of this process."""
        assert self._pipe is not None, "only a child ends"
        os.write(self._pipe, verdict.encode())
        os._exit(0)


def _die_with(parent: int) -> None:
    """End this child when its parent ends, even by SIGKILL, or when its time is up, even in an endless
    loop.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It ended before the line above.
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for the parent.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _FUTURE_LIMIT_S)


def _collect(running: dict[int, int]) -> Iterator[str]:
    """Wait for at least one child; yields the verdict of each that has ended, empty for one without."""
    ready, _, _ = select.select(list(running), [], [])
    for reader in ready:
        verdict = os.read(reader, 64).decode()
        os.close(reader)
        os.waitpid(running.pop(reader), 0)
        yield verdict


def _kill(running: dict[int, int]) -> None:
    """Leave no child behind when something went wrong here."""
    for reader, child in running.items():
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    running.clear()
