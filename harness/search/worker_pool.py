"""A pool of worker processes: jobs go in, answers come out, and a worker that dies costs at most one job."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar

from ostrakon.harness.search.worker import Pipe, Process, Start, how_it_ended

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Jobs a worker holds: one at work, and one so that it need not wait for us."""
_ATTEMPTS_MAX = 2
"""How many workers may die of a job before it is given up."""
_DEATHS_MAX = 10
"""How many workers may die, with no job answered in between, before the pool gives up."""


class PoolFailed(Exception):
    """No work gets done any more; the message says why, and what to do if something can be done."""


class CannotStart(PoolFailed):
    """No worker could be started; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Done(Generic[_Job, _Result]):
    """A job and what came of it."""

    job: _Job
    result: _Result


@dataclass(frozen=True, slots=True)
class Failed(Generic[_Job]):
    """A job that raised an exception, or that killed every worker it was given to."""

    job: _Job
    how: Literal["raised", "died"]
    why: str
    """The traceback, or how the last worker ended."""


class WorkerPool(Generic[_Job, _Result]):
    """Worker processes that all do the same kind of work.

    `work` must be importable by name (or a partial of such a function), jobs and results must pickle.
    `start` says how workers are started: `worker.from_fork_server` or `worker.as_subprocess`. `limit_s` is
    the wall time that one job may take.
    """

    def __init__(
        self, work: Callable[[_Job], _Result], size: int, *, start: Start, limit_s: float = 120.0
    ) -> None:
        self._work, self._start, self._limit_s = work, start, limit_s
        self._waiting: deque[_Held[_Job]] = deque()
        self._workers: list[_Worker[_Job]] = []
        self._deaths = 0
        self._last_death_reason = ""
        try:
            for _ in range(size):
                self._workers.append(self._started())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    @property
    def room(self) -> int:
        """How many more jobs keep all workers busy."""
        return max(0, _AHEAD * len(self._workers) - self.pending)

    @property
    def pending(self) -> int:
        """How many jobs were given and not answered yet."""
        return len(self._waiting) + sum(len(worker.held) for worker in self._workers)

    @property
    def pids(self) -> tuple[int, ...]:
        """The workers' process ids."""
        return tuple(worker.process.pid or 0 for worker in self._workers)

    def give(self, job: _Job) -> None:
        """Add a job."""
        self._waiting.append(_Held(job))
        self._distribute()

    def wait(self, timeout_s: float) -> list[Done[_Job, _Result] | Failed[_Job]]:
        """What was answered since the last time, at least one if any comes within `timeout_s`.

        Raises: CrewFailed.
        """
        answers: list[Done[_Job, _Result] | Failed[_Job]] = []
        ready = set(map(id, wait([worker.pipe for worker in self._workers], timeout_s)))
        for number, worker in enumerate(self._workers):
            if id(worker.pipe) in ready and not worker.collect(answers):
                self._deaths += 1
                answers += self._take_back(worker)
                self._workers[number] = self._started()
        if any(isinstance(answer, Done) for answer in answers):
            self._deaths = 0
        if self._deaths > _DEATHS_MAX:
            raise PoolFailed(f"{self._deaths} workers died, and nothing got done: {self._last_death_reason}")
        self._distribute()
        return answers

    def close(self) -> None:
        """End all workers at once; jobs without an answer are dropped."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
        self._workers.clear()

    def do(self, job: _Job) -> Done[_Job, _Result] | Failed[_Job]:
        """Do one job and wait for its answer, while no other is pending. Raises: PoolFailed."""
        assert self.pending == 0, f"{self.pending} other jobs are pending"
        self.give(job)
        while not (answers := self.wait(1.0)):
            pass
        (answer,) = answers
        return answer

    def _started(self) -> _Worker[_Job]:
        return _Worker(*self._start(self._work, self._limit_s))

    def _take_back(self, worker: _Worker[_Job]) -> list[Failed[_Job]]:
        """Distribute the jobs of a dead worker anew; the job that it died of has one attempt less."""
        worker.pipe.close()
        why = self._last_death_reason = how_it_ended(worker.process.wait(), self._limit_s)
        if not worker.held:
            return []
        fatal, *others = worker.held
        self._waiting.extend(others)
        fatal.attempts_left -= 1
        if fatal.attempts_left == 0:
            return [Failed(fatal.job, "died", why)]
        self._waiting.append(fatal)
        return []

    def _distribute(self) -> None:
        while self._waiting:
            worker = min(self._workers, key=lambda worker: len(worker.held))
            if len(worker.held) >= _AHEAD:
                return
            worker.take(self._waiting.popleft())


@dataclass(slots=True)
class _Held(Generic[_Job]):
    job: _Job
    attempts_left: int = _ATTEMPTS_MAX


@dataclass(slots=True)
class _Worker(Generic[_Job]):
    process: Process
    pipe: Pipe
    held: deque[_Held[_Job]] = field(default_factory=deque)
    """The jobs that it was given and has not answered, in order."""

    def take(self, held: _Held[_Job]) -> None:
        self.held.append(held)
        with suppress(OSError):  # It is dead: `collect` finds out, and the job goes to another worker.
            self.pipe.send(held.job)

    def collect(self, answers: list[Any]) -> bool:
        """Add its answers; False if it is dead."""
        try:
            while self.pipe.poll():
                how, result = self.pipe.recv()
                job = self.held.popleft().job
                answers.append(Done(job, result) if how == "done" else Failed(job, "raised", result))
        except (EOFError, OSError):
            return False
        return True
