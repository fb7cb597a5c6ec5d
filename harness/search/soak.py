"""A soak: seeds are tried by a pool of workers until the time or the number is up, or a person says stop.

What to try next is decided by `Agenda`, which is pure; `soak` waits for answers and writes them down.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ostrakon.harness.search.campaign import Campaign
from ostrakon.harness.search.job import (
    Confirm,
    Confirmed,
    JobResult,
    Keep,
    Kept,
    Prove,
    Recheck,
    Rechecked,
    Shrink,
    ShrunkPlan,
    TrialJob,
    TrialJobs,
    Try,
    must_stay_here,
)
from ostrakon.harness.search.outcome import OBSERVING_RUNNER, Outcome, Valid
from ostrakon.harness.search.portfolio import Portfolio
from ostrakon.harness.search.recipe import find_recipe
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import FailureGroup, Tally
from ostrakon.harness.search.worker import from_fork_server
from ostrakon.harness.search.worker_pool import Done, Failed, WorkerPool

if TYPE_CHECKING:
    from ostrakon.harness.search.dask_pool import DaskPool

_RERUN_EVERY = 20
"""One seed in so many is run twice, to see that the simulator is deterministic."""
_DRAIN_S = 5.0
"""How long a soak that was told to stop waits for what is at work."""
_OURS = "ostrakon.harness.search.job"
_OWN_FAILURES_MAX = 10
"""After so many failures of the harness itself there is no use in going on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a soak is over; whichever comes first."""

    seconds: float = float("inf")
    trials: float = float("inf")


@dataclass(slots=True)
class Progress:
    """How a soak is going."""

    tally: Tally
    limits: Limits
    workers: int
    tried_before: int
    """Trials that earlier soaks of this campaign recorded."""
    portfolio: Portfolio
    """The recipes by which plans are drawn, and what they are worth."""
    elapsed_s: float = 0.0
    own_failures: list[str] = field(default_factory=list)
    """What went wrong in the harness, as text; a soak with any of these proves nothing."""
    stopped: bool = False
    """Whether somebody asked it to end early."""

    @property
    def tried(self) -> int:
        """Trials that this soak has recorded."""
        return self.tally.trials - self.tried_before

    @property
    def trials_per_s(self) -> float:
        """Trials that were finished per second of wall time."""
        return self.tried / self.elapsed_s if self.elapsed_s > 0 else 0.0


class View(Protocol):
    """Whoever watches a soak."""

    def show(self, progress: Progress) -> None:
        """Take note of how it is going; called a few times a second."""

    def found(self, finding: FailureGroup) -> None:
        """A failure was recorded, for the first time or by a smaller plan, or is found to be mended."""


class Pool(Protocol):
    """Whoever does the jobs: a pool of processes, or a cluster of machines."""

    @property
    def size(self) -> int:
        """How many jobs are done at a time."""

    @property
    def room(self) -> int:
        """How many more jobs are wanted now, to keep everyone busy."""

    @property
    def pending(self) -> int:
        """How many were given and not answered yet."""

    def give(self, job: TrialJob) -> None:
        """Have an job done."""

    def wait(self, timeout_s: float) -> list[Done[TrialJob, JobResult] | Failed[TrialJob]]:
        """What was answered since the last time, or comes in time. Raises: PoolFailed."""


@dataclass(slots=True)
class Agenda:
    """What a soak does next: known failures first, then recording new ones, then shrinking and new seeds."""

    seeds: Iterator[int]
    trials: float
    """How many seeds may still be handed out."""
    store: Path
    portfolio: Portfolio
    unrecorded: dict[tuple[Valid, str], FailureGroup] = field(default_factory=dict)
    """Failures whose smallest plan has no run folder yet."""
    unshrunk: dict[tuple[Valid, str], FailureGroup] = field(default_factory=dict)
    """Failures whose smallest plan nobody has tried to shrink."""
    known: list[FailureGroup] = field(default_factory=list)
    """Failures from before, to be run again: whatever was changed since may have mended them."""
    unconfirmed: dict[tuple[Valid, str], FailureGroup] = field(default_factory=dict)
    """Failures of the model that nobody has looked for in simulation."""
    shrinking: int = 0
    """How many plans are being shrunk."""

    def next(self, size: int) -> TrialJob | None:
        """The next job for so many workers; None when there is nothing left to begin."""
        if self.known:
            finding = self.known.pop(0)
            return Recheck((finding.valid, finding.reason), finding.plan)
        if self.unrecorded:
            key = next(iter(self.unrecorded))
            return Keep(key, self.unrecorded.pop(key).plan, self.store)
        if self.unconfirmed:
            key = next(iter(self.unconfirmed))
            return Confirm(key, self.unconfirmed.pop(key).plan)
        # Half of the workers at most look back as long as there is anything new to try.
        if self.unshrunk and (self.trials <= 0 or self.shrinking < max(1, size // 2)):
            key = next(iter(self.unshrunk))
            self.shrinking += 1
            return Shrink(key, self.unshrunk.pop(key).plan)
        if self.trials <= 0:
            return None
        self.trials -= 1
        seed = next(self.seeds)
        return Try(seed, self.portfolio.hand_out(seed).name, twice=seed % _RERUN_EVERY == 0)

    def wants(self, finding: FailureGroup) -> None:
        """Have a failure recorded and shrunk; a smaller example takes the place of one that waits."""
        key = finding.valid, finding.reason
        if finding.valid == "invalid" and not finding.folder:
            self.unrecorded[key] = finding
        if finding.valid == "invalid" and not finding.shrunk:
            self.unshrunk[key] = finding
        if finding.valid == "invalid" and not finding.in_simulation and finding.plan.substrate == "model":
            self.unconfirmed[key] = finding

    def end(self) -> None:
        """Begin nothing new any more; what was found is still recorded."""
        self.trials = 0
        self.unshrunk.clear()


@dataclass(frozen=True, slots=True)
class Workers:
    """Which processes run the trials of a soak, and how."""

    count: int
    """How many processes on this machine; with a `cluster`, one of them records failures."""
    cluster: str | None = None
    """The address of a Dask scheduler whose workers run the trials instead."""
    runner: str = OBSERVING_RUNNER
    """The function that runs a plan, as `module:function`."""
    warm: Sequence[str] = ()
    """Modules that trials need; they are imported once for all workers."""
    trial_limit_s: float = 120.0
    """The wall time of one trial. A trial that takes longer is tried once more, and then it is `unknown`."""


def soak(
    campaign: Campaign,
    store: Path,
    limits: Limits,
    workers: Workers,
    *,
    view: View,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Run trials until a limit is reached, or SIGINT or SIGTERM arrives; every outcome is recorded at once.

    Raises: BadCampaign, PoolFailed.
    """
    tally = campaign.tally()
    seen, reasons = set(tally.coverage.shapes), {finding.reason for finding in tally.failures}
    portfolio = Portfolio(campaign.swarm, tally.merits, seen, reasons)
    agenda = Agenda(campaign.untried(), limits.trials, store, portfolio, known=tally.failures)
    with ExitStack() as stack:
        work = TrialJobs(campaign.swarm, workers.runner)
        here = 1 if workers.cluster is not None else workers.count
        limit_s = workers.trial_limit_s
        pool: Pool = stack.enter_context(
            WorkerPool[TrialJob, JobResult](
                work, here, start=from_fork_server((_OURS, *workers.warm)), limit_s=limit_s
            )
        )
        if workers.cluster is not None:
            assert isinstance(pool, WorkerPool)
            pool = stack.enter_context(_far(workers.cluster, work, pool, campaign.first, limit_s))
        told_to_stop = stack.enter_context(_told_to_stop())
        progress = Progress(tally, limits, pool.size, tally.trials, portfolio)
        at_work = _Soak(campaign, pool, agenda, progress, view, clock, clock())
        at_work.until_done(told_to_stop)
        at_work.drain()
    return progress


@dataclass(slots=True)
class _Soak:
    campaign: Campaign
    pool: Pool
    agenda: Agenda
    progress: Progress
    view: View
    clock: Callable[[], float]
    began: float

    def until_done(self, told_to_stop: Callable[[], bool]) -> None:
        """Hand out jobs and take in answers."""
        progress = self.progress
        while not told_to_stop() and len(progress.own_failures) < _OWN_FAILURES_MAX:
            if progress.elapsed_s >= progress.limits.seconds:
                self.agenda.end()
            while self.pool.room and (job := self.agenda.next(self.pool.size)) is not None:
                self.pool.give(job)
            if self.pool.pending == 0:
                return
            self.take_in()
        progress.stopped = True

    def drain(self) -> None:
        """Give what is at work a moment to end, so that it need not be done again."""
        until = self.clock() + _DRAIN_S
        while self.pool.pending and self.clock() < until:
            self.take_in()
        self.agenda.portfolio.settle()
        self.campaign.record((), (), self.agenda.portfolio.merits)

    def take_in(self) -> None:
        """Wait a little for answers, and write them down."""
        outcomes: list[Outcome] = []
        changed: list[FailureGroup] = []
        for answer in self.pool.wait(0.25):
            match answer:
                case Done(_, Outcome() as outcome):
                    outcomes.append(outcome)
                case Done(_, Kept() as kept):
                    changed += self.note_recording(kept)
                case Done(_, Rechecked() as rechecked):
                    changed += self.note_recheck(rechecked)
                case Done(_, Confirmed(key, _, told)):
                    changed.append(self.progress.tally.confirmed(key, told))
                case Done(_, ShrunkPlan() as shrunk):
                    self.agenda.shrinking -= 1
                    changed += self.note_shrinking(shrunk)
                case Failed(Shrink(), "died", _):
                    self.agenda.shrinking -= 1  # The plan that failed is kept as it is.
                case Failed(Try(seed, recipe), "died", why):
                    outcomes.append(_lost(self.campaign.swarm, seed, recipe, why))
                case Failed(job, _, why):
                    if isinstance(job, Try):
                        self.agenda.portfolio.forget(job.seed)
                    self.progress.own_failures.append(f"seed {_seed(job)}: {why}")
        for outcome in outcomes:
            changed += self.note_outcome(outcome)
        if outcomes or changed:
            self.campaign.record(outcomes, changed, self.agenda.portfolio.merits)
        self.progress.elapsed_s = self.clock() - self.began
        self.progress.workers = self.pool.size
        self.view.show(self.progress)

    def note_outcome(self, outcome: Outcome) -> Iterator[FailureGroup]:
        """Count it; yields the finding that it changed, if it did."""
        if outcome.differs:
            self.progress.own_failures.append(
                f"seed {outcome.seed} did not run the same twice: the simulator is not deterministic here"
            )
        self.agenda.portfolio.note(outcome)
        finding = self.progress.tally.add(outcome, self.campaign.swarm.workload_of(outcome.seed))
        if finding is not None:
            self.agenda.wants(finding)
            yield finding

    def note_recheck(self, rechecked: Rechecked) -> Iterator[FailureGroup]:
        """Remember whether a known failure still occurs; yields the finding."""
        mended = not rechecked.still_fails
        finding = self.progress.tally.rechecked(rechecked.finding, rechecked.plan, mended=mended)
        if finding is not None:
            if finding.mended:
                self.view.found(finding)
            else:
                self.agenda.wants(finding)
            yield finding

    def note_shrinking(self, shrunk: ShrunkPlan) -> Iterator[FailureGroup]:
        """Keep the simpler plan in the place of the one that was shrunk; yields the finding."""
        finding = self.progress.tally.shrunk(shrunk.finding, shrunk.plan, shrunk.simpler)
        if finding is not None:
            self.agenda.wants(finding)
            yield finding

    def note_recording(self, kept: Kept) -> Iterator[FailureGroup]:
        """Remember where a failure was recorded; yields the finding, unless a smaller one has come."""
        if kept.reason != kept.finding[1]:
            self.progress.own_failures.append(
                f"seed {kept.plan.seed} failed for {kept.finding[1]!r}, and when it was run again to be "
                f"recorded in {kept.folder}, for {kept.reason!r}: the simulator is not deterministic here"
            )
        finding = self.progress.tally.recorded(kept.finding, kept.plan, str(kept.folder), kept.why)
        if finding is not None:
            self.view.found(finding)
            yield finding


def _far(
    address: str, work: TrialJobs, home: WorkerPool[TrialJob, JobResult], seed: int, limit_s: float
) -> DaskPool[TrialJob, JobResult]:
    from ostrakon.harness.search.dask_pool import DaskPool

    return DaskPool(address, work, home, proof=Prove(seed), must_stay_here=must_stay_here, limit_s=limit_s)


def _seed(job: TrialJob) -> int:
    match job:
        case Try(seed) | Prove(seed):
            return seed
        case Keep(_, plan) | Recheck(_, plan) | Shrink(_, plan) | Confirm(_, plan):
            return plan.seed


def _lost(swarm: Swarm, seed: int, recipe: str, why: str) -> Outcome:
    """What is known of a seed that ended its workers."""
    return Outcome(
        seed=seed,
        recipe=recipe,
        valid="unknown",
        reason="no verdict",
        why=f"it was tried twice without an outcome: {why}",
        plan=swarm.plan(seed, find_recipe(recipe)),
    )


@contextmanager
def _told_to_stop() -> Iterator[Callable[[], bool]]:
    """Says whether SIGINT or SIGTERM has arrived. The second time, a SIGINT has its usual effect."""
    told: list[int] = []

    def note(number: int, _: object) -> None:
        if told and number == signal.SIGINT:
            raise KeyboardInterrupt
        told.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # Signals are the main thread's affair; whoever runs it will stop us.
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
