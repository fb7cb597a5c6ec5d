from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from ostrakon.harness.sim import NotSimulated
from tests.sim.runtimes.asyncio.alone import run_alone
from tests.sim.runtimes.asyncio.third_party import FAULTS, NEEDS, PAIRS, Log, told

REPOSITORY = Path(__file__).parents[4]


@cache
def logged(pair: str, fault: str) -> Log:
    for package in NEEDS[pair]:
        pytest.importorskip(package)
    return told(pair, fault)[0]


def test_aiohttp_answers_every_request_on_a_calm_network() -> None:
    answered = {entry[1] for entry in logged("aiohttp", "calm")}

    assert answered == {f"/{number}" for number in range(36)}


@pytest.mark.parametrize("fault", ["partition", "pause", "kill"])
def test_aiohttp_times_out_or_is_refused_meanwhile_and_goes_on_afterwards(fault: str) -> None:
    log = logged("aiohttp", fault)

    failed = [entry for entry in log if not str(entry[1]).startswith("/")]
    assert failed
    assert all(1 <= entry[0] < 6 for entry in failed)
    assert str(log[-1][1]).startswith("/")


def test_redis_counts_every_increment_of_a_server_that_is_well() -> None:
    *counts, last = logged("redis", "calm")

    assert [count for _, count in counts] == list(range(1, 13))
    assert last[1] == b"12"


def test_redis_counts_once_more_when_an_answer_is_lost() -> None:
    """redis-py sends a command again by itself: a partition makes of one increment several."""
    *counts, last = logged("redis", "partition")

    answered = [int(count) for _, count in counts if isinstance(count, int)]
    assert answered[-1] > len(counts)
    assert int(last[1]) == answered[-1]


@pytest.mark.parametrize("fault", ["calm", "partition", "pause", "skew"])
def test_a_websocket_outlives_what_is_shorter_than_its_patience(fault: str) -> None:
    assert [entry[1] for entry in logged("websockets", fault)] == [
        f"MESSAGE {number}" for number in range(20)
    ]


def test_a_websocket_breaks_when_its_server_is_killed() -> None:
    *echoed, last = logged("websockets", "kill")

    assert 5 < len(echoed) < 15
    assert last[1] == "ConnectionClosedError"


@pytest.mark.parametrize("pair", ["uvicorn", "hypercorn"])
def test_an_application_streams_its_answers(pair: str) -> None:
    assert [entry[1] for entry in logged(pair, "calm")] == [
        [f"request-{number} {line}" for line in range(3)] for number in range(10)
    ]


@pytest.mark.parametrize("pair", ["uvicorn", "hypercorn"])
def test_an_application_that_was_killed_is_served_again(pair: str) -> None:
    log = logged(pair, "kill")

    assert "ConnectionRefusedError" in {entry[1] for entry in log if isinstance(entry[1], str)}
    assert log[-1][1] == [f"request-9 {line}" for line in range(3)]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_fresh_interpreters_see_the_same(pair: str) -> None:
    for package in NEEDS[pair]:
        pytest.importorskip(package)

    def fresh(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.sim.runtimes.asyncio.third_party", pair]
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=True)
        assert not done.stderr
        return done.stdout

    one = fresh("1")
    assert one == fresh("2")
    assert all(fault in one for fault in FAULTS)


def test_a_database_file_is_refused_where_each_connection_has_a_thread() -> None:
    aiosqlite = pytest.importorskip("aiosqlite")

    async def program() -> None:
        async with aiosqlite.connect("data.db"):
            pass

    with pytest.raises(NotSimulated, match="database file"):
        run_alone(program)


def test_a_database_file_is_refused_in_a_thread_too() -> None:
    import asyncio

    async def program() -> None:
        await asyncio.to_thread(sqlite3.connect, "data.db")

    with pytest.raises(NotSimulated, match="a database file"):
        run_alone(program)
