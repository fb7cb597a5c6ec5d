"""Programs that nobody wrote for a simulator: they run unmodified, under faults, and alike every time.

Each test needs packages of its own and is skipped where they are not installed.
"""

from __future__ import annotations

import gc
import os
import ssl
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import trio

from tests.sim.third_party import FAULTS, PAIRS, Log, partition, told

REPOSITORY = Path(__file__).resolve().parents[3]
NEEDS = {
    "hypercorn": ("hypercorn", "httpx"),
    "websocket": ("trio_websocket",),
    "coredis": ("coredis",),
}


def logged(pair: str, fault: str) -> list[tuple[object, ...]]:
    """What the client logged, with its times."""
    for package in NEEDS[pair]:
        pytest.importorskip(package)
    with warnings.catch_warnings():
        # coredis leaves streams within its program unclosed when a connection breaks.
        warnings.simplefilter("ignore", ResourceWarning)
        log, _ = told(*PAIRS[pair], FAULTS[fault])
        gc.collect()
    return [entry for entry in log if isinstance(entry, tuple)]


def test_httpx_is_answered_by_hypercorn() -> None:
    answers = logged("hypercorn", "calm")

    assert [text for _, text, _ in answers] == [f"hello /{number} of 10.0.0.2" for number in range(12)]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("partition", "ReadTimeout"), ("partition", "ConnectTimeout"), ("kill", "ConnectError")],
)
def test_httpx_meets_what_a_fault_means_and_is_answered_again(fault: str, error: str) -> None:
    answers = logged("hypercorn", fault)

    assert error in [entry[1] for entry in answers]
    assert [len(entry) for entry in answers[:3]] == [3, 3, 3]
    assert str(answers[-1][1]).startswith("hello /11")


@pytest.mark.parametrize("fault", ["calm", "partition"])
def test_a_websocket_outlives_a_partition_shorter_than_its_patience(fault: str) -> None:
    echoed = [entry[1] for entry in logged("websocket", fault)]

    assert echoed == [f"MESSAGE {number}" for number in range(20)]


def test_a_websocket_breaks_when_its_server_is_killed() -> None:
    *echoed, last = logged("websocket", "kill")

    assert 5 < len(echoed) < 15
    assert last[1] == "ConnectionClosed"


def test_coredis_counts_on_a_server_that_is_well() -> None:
    *counts, last = logged("coredis", "calm")

    assert [count for _, count in counts] == list(range(1, 13))
    assert last[1:] == ("12", None)


def test_coredis_does_not_lose_counts_that_a_killed_server_has_answered() -> None:
    *counts, last = logged("coredis", "kill")

    answered = [count for _, count in counts if isinstance(count, int)]
    assert answered == list(range(1, len(answered) + 1))
    assert len(answered) < 12
    assert last[1] == str(len(answered))


def test_coredis_counts_once_more_when_an_answer_is_lost() -> None:
    """It sends a command again by itself: a partition makes of one increment several."""
    *counts, last = logged("coredis", "partition")

    answered = [int(str(count)) for _, count in counts]
    assert len(answered) == 12
    assert answered[-1] > 12
    assert last[1] == str(answered[-1])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("pair", PAIRS)
def test_two_fresh_interpreters_see_the_same(pair: str, fault: str) -> None:
    for package in NEEDS[pair]:
        pytest.importorskip(package)

    def fresh(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.sim.third_party", pair, fault]
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    assert fresh("1") == fresh("2")


def test_tls_streams_work_and_survive_a_short_cut() -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("server").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    async def server(log: Log) -> None:
        async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
            async with stream:
                while chunk := await stream.receive_some():
                    await stream.send_all(chunk)

        await trio.serve_ssl_over_tcp(echo, 443, server_context)

    async def client(log: Log) -> None:
        stream = await trio.open_ssl_over_tcp_stream("server", 443, ssl_context=client_context)
        async with stream:
            for number in range(30):
                await stream.send_all(b"secret %d" % number)
                log.append(await stream.receive_some())
                await trio.sleep(0.2)

    log, _ = told(server, client, partition)

    assert log == [b"secret %d" % number for number in range(30)]
