"""A pool of workers on many machines, through a Dask cluster.

Jobs travel in batches that take about half a second, so that sending them costs little. When a worker is
lost, its jobs go to another worker. No job is answered twice, because an answer counts only when it has
arrived here.

A trial takes over the whole process that it runs in: time, sockets and threads are simulated there. A Dask
worker has a real network to attend to, so each of its threads runs trials in a process of its own.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from importlib import metadata
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from ostrakon.harness.search.worker import as_subprocess
from ostrakon.harness.search.worker_pool import CannotStart, Done, Failed, PoolFailed, WorkerPool
from ostrakon.harness.version import VERSION

_Client: TypeAlias = Any
_Future: TypeAlias = Any
"""Dask's; it is half annotated, and imported only where it is used."""

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

_PACKAGE = "ostrakon"
_AHEAD = 2
"""Batches for each thread of a worker: one at work, and one so that it need not wait for us."""
_BATCH_S, _BATCH_MAX = 0.5, 100
"""How long a batch takes, about, and the most jobs that it has."""
_LOOK_EVERY_S = 1.0
"""How often we look who is there."""
_CONNECT_S, _FIRST_WORKER_S = 10.0, 60.0
"""How long we wait for the scheduler, and for somebody to work."""


class DaskPool(Generic[_Job, _Result]):
    """The workers of a Dask cluster, with the interface of `WorkerPool`.

    `home` is a pool on this machine. It does the jobs for which `must_stay_here` is true, because they
    write files that belong here. `proof` is a job that every worker must answer as `home` does. A worker
    that answers otherwise runs other code, so its verdicts would mean nothing here.

    Raises: CannotStart.
    """

    def __init__(
        self,
        address: str,
        work: Callable[[_Job], _Result],
        home: WorkerPool[_Job, _Result],
        *,
        proof: _Job,
        must_stay_here: Callable[[_Job], bool] = lambda job: False,
        limit_s: float = 120.0,
    ) -> None:
        self.address = address
        self._work, self._home, self._proof = work, home, proof
        self._stays_home, self._limit_s = must_stay_here, limit_s
        self._unsent: list[_Job] = []
        """Jobs that were given and have not been sent."""
        self._out: dict[Any, tuple[_Future, tuple[_Job, ...]]] = {}
        """By key, what was sent and is not answered."""
        self._ended: queue.SimpleQueue[_Future] = queue.SimpleQueue()
        self._unproven: dict[str, _Future] = {}
        self._batch = 1
        self._threads: dict[str, int] = {}
        self._next_look_at = 0.0
        self._client = _connect(address)
        try:
            _wait_for_a_worker(self._client, address)
            self._expected = _answered_here(home, proof)
            self._look()
            self._wait_for_proofs()
        except PoolFailed as error:
            self.close()
            raise CannotStart(str(error)) from error
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
        """How many jobs the cluster does at a time."""
        return sum(self._threads.values())

    @property
    def room(self) -> int:
        """How many more jobs are wanted now, to keep everyone busy."""
        return max(0, _AHEAD * self.size * self._batch - self._pending_far)

    @property
    def pending(self) -> int:
        """How many jobs were given and not answered yet."""
        return self._home.pending + self._pending_far

    @property
    def _pending_far(self) -> int:
        return len(self._unsent) + sum(len(jobs) for _, jobs in self._out.values())

    def give(self, job: _Job) -> None:
        """Have a job done."""
        if self._stays_home(job):
            self._home.give(job)
        else:
            self._unsent.append(job)

    def wait(self, timeout_s: float) -> list[Done[_Job, _Result] | Failed[_Job]]:
        """What was answered since the last time, at least one if any comes within `timeout_s`.

        Raises: PoolFailed.
        """
        self._send_out()
        self._look()
        until = time.monotonic() + timeout_s
        answers = self._home.wait(0.0)
        while not answers and (left_s := until - time.monotonic()) > 0:
            answers += self._home.wait(0.0)
            answers += self._collect(min(left_s, 0.05))
        return answers + self._collect(0.0)

    def close(self) -> None:
        """Let go of the cluster; jobs that were not answered are dropped, and the workers stay."""
        self._client.close()

    def _send_out(self) -> None:
        while self._unsent:
            batch, self._unsent = tuple(self._unsent[: self._batch]), self._unsent[self._batch :]
            self._send(batch)

    def _send(self, batch: tuple[_Job, ...]) -> None:
        future = self._client.submit(do_batch, self._work, batch, self._limit_s, pure=False)
        self._out[future.key] = future, batch
        future.add_done_callback(self._ended.put)

    def _collect(self, timeout_s: float) -> list[Done[_Job, _Result] | Failed[_Job]]:
        """The answers of all batches that have ended, at least of one if any does in time."""
        answers: list[Done[_Job, _Result] | Failed[_Job]] = []
        while True:
            try:
                future = self._ended.get(timeout=0.0 if answers else timeout_s)
            except queue.Empty:
                return answers
            _, jobs = self._out.pop(future.key)
            answers += self._answers_of(future, jobs)

    def _answers_of(self, future: _Future, jobs: tuple[_Job, ...]) -> Iterable[Any]:
        from distributed import KilledWorker

        if future.status == "finished":
            try:
                took_s, answers = future.result()
            except CancelledError:
                raise self._no_scheduler() from None
            per_job_s = max(took_s / len(jobs), 1e-4)
            self._batch = max(1, min(_BATCH_MAX, round((self._batch + _BATCH_S / per_job_s) / 2)))
            return list(answers)
        if future.status != "error":
            raise self._no_scheduler()
        error = future.exception()
        if isinstance(error, ImportError):
            raise PoolFailed(_refusal("a worker", f"it cannot import {error.name}"))
        if not isinstance(error, KilledWorker):
            return [Failed(job, "raised", f"{type(error).__name__}: {error}") for job in jobs]
        if len(jobs) > 1:  # One of them is to blame, or none: each gets a chance of its own.
            for job in jobs:
                self._send((job,))
            return []
        return [Failed(jobs[0], "died", f"the workers that had it were lost, one after the other: {error}")]

    def _no_scheduler(self) -> PoolFailed:
        return PoolFailed(f"the scheduler at {self.address} is gone: start it again, then resume")

    def _look(self) -> None:
        """Look who is there, now and then, and try those who are new."""
        if time.monotonic() < self._next_look_at:
            return
        if self._client.status != "running":
            raise self._no_scheduler()
        threads = dict(sorted(self._client.nthreads().items()))
        new_workers = [worker for worker in threads if worker not in self._threads]
        self._check_versions(new_workers)
        self._threads = threads
        self._next_look_at = time.monotonic() + _LOOK_EVERY_S
        for worker, future in list(self._unproven.items()):
            if future.done() or worker not in threads:
                self._compare_proof(worker, self._unproven.pop(worker))

    def _check_versions(self, new_workers: Sequence[str]) -> None:
        if not new_workers:
            return
        # By a function of the standard library, for somebody who may not have ours.
        versions = self._client.run(metadata.version, _PACKAGE, workers=list(new_workers), on_error="return")
        for worker, version in versions.items():
            if isinstance(version, metadata.PackageNotFoundError):
                raise PoolFailed(_refusal(worker, f"it does not have {_PACKAGE}"))
            if isinstance(version, str) and version != VERSION:
                raise PoolFailed(_refusal(worker, f"it has {_PACKAGE} {version}"))
            self._unproven[worker] = self._client.submit(
                do_batch, self._work, (self._proof,), self._limit_s, workers=[worker], pure=False
            )

    def _wait_for_proofs(self) -> None:
        until = time.monotonic() + self._limit_s
        while self._unproven and time.monotonic() < until:
            time.sleep(0.01)
            self._next_look_at = 0.0
            self._look()

    def _compare_proof(self, worker: str, proof: _Future) -> None:
        """Compare what a worker made of the proof with what we did; one that has gone away is let go."""
        if proof.status == "error" and isinstance(error := proof.exception(), ImportError):
            raise PoolFailed(_refusal(worker, f"it cannot import {error.name}"))
        if proof.status != "finished":
            return
        _, (answer,) = proof.result()
        if isinstance(answer, Failed):
            last = answer.why.strip().splitlines()[-1]
            if "CannotLoad" in last:  # The workload is the user's: another version of ours would not help.
                raise PoolFailed(f"{worker} cannot take part: {last.partition(': ')[2]}")
            raise PoolFailed(_refusal(worker, f"it cannot run a plan: {last}"))
        if answer != self._expected:
            raise PoolFailed(
                _refusal(worker, "it runs the same plan otherwise than this machine, by other code or Python")
            )


_pools: dict[tuple[int, bytes], WorkerPool[Any, Any]] = {}
"""In a Dask worker: the pool of one process for each thread, by thread and kind of work."""


def do_batch(work: Callable[[Any], Any], jobs: tuple[Any, ...], limit_s: float) -> tuple[float, list[Any]]:
    """Runs in a Dask worker: do a batch of jobs in a process that belongs to this thread.

    Returns how long that took, in seconds, and the answers.
    """
    import pickle

    key = threading.get_ident(), pickle.dumps((work, limit_s))
    if key not in _pools:
        for other in [other for other in _pools if other[0] == key[0]]:  # Of a campaign before this one.
            _pools.pop(other).close()
        _pools[key] = WorkerPool(work, 1, start=as_subprocess, limit_s=limit_s)
    began = time.perf_counter()
    answers = [_pools[key].do(job) for job in jobs]
    return time.perf_counter() - began, answers


def _connect(address: str) -> _Client:
    try:
        import distributed
    except ImportError:
        raise CannotStart(
            f"a cluster needs Dask, which is not installed here: pip install '{_PACKAGE}[cluster]'"
        ) from None
    _silence("distributed")
    try:
        client: Callable[..., _Client] = distributed.Client
        return client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"no Dask scheduler can be reached at {address!r} ({_first_line(error)}): start one with "
            "`dask scheduler`, and name it as --cluster tcp://HOST:8786"
        ) from None


def _silence(package: str) -> None:
    """What goes wrong with workers and scheduler is told by us, in a sentence, and not by tracebacks."""
    for name in [package, *logging.root.manager.loggerDict]:
        if name == package or name.startswith(f"{package}."):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _wait_for_a_worker(client: _Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
    except TimeoutError:
        raise PoolFailed(
            f"no worker came to {address} in {_FIRST_WORKER_S:g} s: start some with `dask worker {address}`"
        ) from None


def _answered_here(pool: WorkerPool[_Job, _Result], job: _Job) -> Done[_Job, _Result]:
    """The answer of a worker on this machine, for others to be compared with."""
    answer = pool.do(job)
    if isinstance(answer, Failed):
        raise PoolFailed(f"a plan cannot be run on this machine: {answer.why}")
    return answer


def _refusal(worker: str, what: str) -> str:
    return f"{worker} cannot take part: {what}; install {_PACKAGE} {VERSION} there, the same as here"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
