"""The pool: every job is answered once, whatever happens to workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.search.worker import as_subprocess, from_fork_server
from ostrakon.harness.search.worker_pool import Done, Failed, PoolFailed, WorkerPool

MakePool = Callable[..., WorkerPool[Any, Any]]


def double(number: int) -> int:
    return 2 * number


def pid(_: int) -> int:
    return os.getpid()


def raise_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three is too many")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_the_first_time(path: Path) -> str:
    if not path.exists():
        path.touch()
        os._exit(7)
    return "lived"


def never_return_from_three(number: int) -> int:
    while number == 3:
        pass
    return number


@pytest.fixture(params=["fork server", "subprocess"])
def pool_of(request: pytest.FixtureRequest) -> MakePool:
    """Makes a pool whose workers are started in one way or the other."""
    start = from_fork_server(()) if request.param == "fork server" else as_subprocess
    return partial(WorkerPool, start=start)


def answers_of(pool: WorkerPool[Any, Any], jobs: Iterable[Any]) -> list[Any]:
    waiting = list(jobs)
    answers = []
    while waiting or pool.pending:
        while waiting and pool.room:
            pool.give(waiting.pop(0))
        answers += pool.wait(1.0)
    return answers


def test_every_job_is_answered_once(pool_of: MakePool) -> None:
    with pool_of(double, 2) as pool:
        answers = answers_of(pool, range(100))

    assert sorted((answer.job, answer.result) for answer in answers) == [(n, 2 * n) for n in range(100)]


def test_work_is_shared_by_processes_other_than_ours(pool_of: MakePool) -> None:
    with pool_of(pid, 2) as pool:
        workers = {answer.result for answer in answers_of(pool, range(50))}

    assert len(workers) == 2
    assert os.getpid() not in workers


def test_an_exception_is_the_answer_to_its_job_alone(pool_of: MakePool) -> None:
    with pool_of(raise_at_three, 2) as pool:
        answers = answers_of(pool, range(10))

    (failed,) = [answer for answer in answers if isinstance(answer, Failed)]
    assert (failed.job, failed.how) == (3, "raised")
    assert "ValueError: three is too many" in failed.why
    assert sorted(a.result for a in answers if isinstance(a, Done)) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_job_that_ends_two_workers_is_given_up_and_no_other_is(pool_of: MakePool) -> None:
    with pool_of(die_at_three, 2) as pool:
        answers = answers_of(pool, range(10))

    (failed,) = [answer for answer in answers if isinstance(answer, Failed)]
    assert (failed.job, failed.how) == (3, "died")
    assert "SIGKILL" in failed.why
    assert sorted(a.result for a in answers if isinstance(a, Done)) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_job_whose_worker_died_is_tried_again(tmp_path: Path, pool_of: MakePool) -> None:
    with pool_of(die_the_first_time, 1) as pool:
        answers = answers_of(pool, [tmp_path / "mark"])

    assert [answer.result for answer in answers] == ["lived"]


def test_a_crew_that_gets_nothing_done_gives_up(pool_of: MakePool) -> None:
    with pool_of(os._exit, 1) as pool, pytest.raises(PoolFailed, match="ended with exit status 3"):
        answers_of(pool, [3] * 100)


def test_a_job_without_end_is_ended(pool_of: MakePool) -> None:
    with pool_of(never_return_from_three, 1, limit_s=0.3) as pool:
        answers = answers_of(pool, range(5))

    (failed,) = [answer for answer in answers if isinstance(answer, Failed)]
    assert failed.job == 3
    assert "more than 0.3 s" in failed.why


def test_a_worker_killed_while_it_waits_is_replaced(pool_of: MakePool) -> None:
    with pool_of(double, 2) as pool:
        (victim, _) = pool.pids
        os.kill(victim, signal.SIGKILL)

        answers = answers_of(pool, range(20))

        assert sorted(answer.result for answer in answers) == [2 * n for n in range(20)]
        assert victim not in pool.pids


def test_workers_are_out_of_reach_of_the_terminal(pool_of: MakePool) -> None:
    with pool_of(os.getsid, 1) as pool:
        (answer,) = answers_of(pool, [0])

    assert answer.result != os.getsid(0)


def test_closing_leaves_no_worker_behind(pool_of: MakePool) -> None:
    with pool_of(double, 2) as pool:
        pids = pool.pids

    assert not [pid for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    for _ in range(100):  # The fork server buries its children a moment after they are gone.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.01)
    return True
