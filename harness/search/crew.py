"""A crew of worker processes: jobs go in, answers come out, and a worker that dies costs at most one job.

Workers come from a fork server that has already imported what they need, live in sessions of their own
so that a ctrl-C at the terminal reaches only the parent, and end by themselves when the parent is gone
or when a job takes too long.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar

from ostrakon.harness.search.worker import how_it_ended, serve

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Jobs a worker holds: one at work, and one so that it need not wait for us."""
LIVES = 2
"""How many workers a job may cost before it is given up."""
_DEATHS_MAX = 10
"""How many workers may die, with no job answered in between, before the crew gives up."""


class CrewFailed(Exception):
    """Nothing gets done any more; the message says why, and what to do if something can be done."""


class CannotHire(CrewFailed):
    """Nothing could be begun; the message says what is missing."""


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


class Crew(Generic[_Job, _Result]):
    """Worker processes that all do the same kind of work.

    `work` must be importable by name (or a partial of such a function), jobs and results must pickle.
    `limit_s` is the wall time that one job may take. `warm` names modules that the fork server imports
    once for all.
    """

    def __init__(
        self, work: Callable[[_Job], _Result], size: int, *, limit_s: float = 120.0, warm: Sequence[str] = ()
    ) -> None:
        self._work = work
        self._limit_s = limit_s
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(warm))
        self._again: deque[_Held[_Job]] = deque()
        self._workers: list[_Worker[_Job]] = []
        self._deaths = 0
        self._obituary = ""
        try:
            for _ in range(size):
                self._workers.append(self._hire())
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
        """How many more jobs are wanted now, to keep everyone busy."""
        return max(0, _AHEAD * len(self._workers) - self.pending)

    @property
    def pending(self) -> int:
        """How many jobs were given and not answered yet."""
        return len(self._again) + sum(len(worker.held) for worker in self._workers)

    @property
    def pids(self) -> tuple[int, ...]:
        """The workers' process ids."""
        return tuple(worker.process.pid or 0 for worker in self._workers)

    def give(self, job: _Job) -> None:
        """Have a job done."""
        self._again.append(_Held(job))
        self._hand_out()

    def wait(self, timeout_s: float) -> list[Done[_Job, _Result] | Failed[_Job]]:
        """What was answered since the last time, at least one if any comes within `timeout_s`.

        Raises: CrewFailed.
        """
        answers: list[Done[_Job, _Result] | Failed[_Job]] = []
        ready = set(map(id, wait([worker.pipe for worker in self._workers], timeout_s)))
        for number, worker in enumerate(self._workers):
            if id(worker.pipe) in ready and not worker.collect(answers):
                self._deaths += 1
                answers += self._bury(worker)
                self._workers[number] = self._hire()
        if any(isinstance(answer, Done) for answer in answers):
            self._deaths = 0
        if self._deaths > _DEATHS_MAX:
            raise CrewFailed(f"{self._deaths} workers died, and nothing got done: {self._obituary}")
        self._hand_out()
        return answers

    def close(self) -> None:
        """Dismiss everyone at once; jobs that were not answered are dropped."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _hire(self) -> _Worker[_Job]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(self._work, theirs, self._limit_s), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _bury(self, worker: _Worker[_Job]) -> list[Failed[_Job]]:
        """Take the jobs of a dead worker back; the one it died of has one life less."""
        worker.pipe.close()
        worker.process.join()
        why = how_it_ended(worker.process.exitcode, self._limit_s)
        worker.process.close()
        self._obituary = why
        if not worker.held:
            return []
        fatal, *others = worker.held
        self._again.extend(others)
        fatal.lives -= 1
        if fatal.lives == 0:
            return [Failed(fatal.job, "died", why)]
        self._again.append(fatal)
        return []

    def _hand_out(self) -> None:
        while self._again:
            worker = min(self._workers, key=lambda worker: len(worker.held))
            if len(worker.held) >= _AHEAD:
                return
            worker.take(self._again.popleft())


@dataclass(slots=True)
class _Held(Generic[_Job]):
    job: _Job
    lives: int = LIVES


@dataclass(slots=True)
class _Worker(Generic[_Job]):
    process: BaseProcess
    pipe: Connection[Any, Any]
    held: deque[_Held[_Job]] = field(default_factory=deque)
    """What it was given and has not answered, in order."""

    def take(self, held: _Held[_Job]) -> None:
        self.held.append(held)
        with suppress(OSError):  # It is dead; `collect` will find out, and the job goes to another.
            self.pipe.send(held.job)

    def collect(self, answers: list[Any]) -> bool:
        """Add what it has answered; False if it is dead."""
        try:
            while self.pipe.poll():
                how, result = self.pipe.recv()
                job = self.held.popleft().job
                answers.append(Done(job, result) if how == "done" else Failed(job, "raised", result))
        except (EOFError, OSError):
            return False
        return True
