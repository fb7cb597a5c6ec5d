"""The `paxos` command as people run it: real processes, real sockets, kill -9."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paxos_impl.town import PAXOS, Town, environment, paxos
from tests.ports import LONG_S, free_ports


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    yield town
    for name in list(town.running):
        town.kill(name)


def test_a_decree_outlives_kill_9_of_an_instance_and_of_the_registry(town: Town) -> None:
    town.start("registry")
    town.wait("registry", "listening")
    for name in ("1", "2"):
        town.start(name)
        town.wait(name, "registered as server")
    incomplete = paxos("get", "--registry", town.registry)
    assert (incomplete.status, incomplete.out) == (3, "")
    assert "2 of 3 instances have registered" in incomplete.said
    _knows_how_far_it_is(town)
    town.start("3")
    for name in ("1", "2", "3"):
        town.wait(name, "serving as server")

    before = paxos("get", "--registry", town.registry)
    assert (before.status, before.out) == (3, "")
    assert "nothing is known to be chosen yet" in before.said

    proposed = paxos("propose", "--registry", town.registry, "the decree")
    assert proposed[:2] == (0, "the decree\n"), proposed.said
    assert paxos("propose", "--node", town.addresses["2"], "another").out == "the decree\n"

    town.kill("1")
    town.kill("registry")
    get = subprocess.run(
        [*PAXOS, "get", "--node", town.addresses["3"]], capture_output=True, env=environment()
    )
    assert (get.returncode, get.stdout) == (0, b"the decree\n")
    town.start("1")
    town.wait("1", "serving as server", times=2)
    assert "the registry at" in town.said("1"), "it did not notice that the registry is gone"
    assert paxos("get", "--node", town.addresses["1"]).out == "the decree\n"

    town.start("registry")
    town.wait("registry", "listening", times=2)
    status = paxos("status", "--registry", town.registry)
    assert status.status == 0, status.said
    assert [line.split()[:5] for line in status.out.splitlines()] == [
        [town.addresses["1"], "server", "0", "start", "2"],
        [town.addresses["2"], "server", "1", "start", "1"],
        [town.addresses["3"], "server", "2", "start", "1"],
    ]

    _refuses_what_would_break_the_cluster(town)
    assert town.stop() == [0, 0, 0, 0]
    assert not [name for name in town.addresses if "Traceback" in town.said(name)]


def _knows_how_far_it_is(town: Town) -> None:
    """An instance listens before its cluster is complete."""
    town.wait("1", "2 of 3 registered")
    early = paxos("get", "--node", town.addresses["1"])
    assert (early.status, early.out) == (3, "")
    assert "nothing is known" in early.said
    status = paxos("status", "--node", town.addresses["1"])
    assert (status.status, "waiting for members: 2 of 3" in status.out) == (0, True)
    proposed = paxos("propose", "--node", town.addresses["1"], "x", "--timeout", "0.5")
    assert (proposed.status, "waiting for members: 2 of 3" in proposed.said) == (1, True)


def _refuses_what_would_break_the_cluster(town: Town) -> None:
    def serve(listen: str, data: str, *more: str) -> tuple[int, str]:
        ended = paxos(
            "serve", "--listen", listen, "--registry", town.registry, "--data", str(town.root / data), *more
        )
        return ended.status, ended.said

    fourth = f"127.0.0.1:{free_ports(1)[0]}"
    status, said = serve(town.addresses["1"], "1")
    assert (status, "is in use by another process" in said) == (255, True), said
    status, said = serve(town.registry, "4")
    assert (status, f"cannot listen on {town.registry}: " in said) == (255, True), said
    status, said = serve(fourth, "4")
    assert (status, "the cluster has its 3 members already" in said) == (255, True), said
    town.kill("1")
    status, said = serve(fourth, "1")
    assert (status, "belongs to the instance at" in said) == (255, True), said
    status, said = serve(town.addresses["1"], "1", "--cluster-size", "5")
    assert (status, "cluster of 3 members, not 5" in said) == (255, True), said
    log = town.root / "1" / "log"
    sound = log.read_bytes()
    log.write_bytes(sound[:-1] + b"!")
    status, said = serve(town.addresses["1"], "1")
    assert (status, "log, at byte" in said, str(town.root / "1") in said) == (255, True, True), said
    log.write_bytes(sound)
    town.start("1")
    town.wait("1", "serving as server", times=3)


def test_serve_writes_a_trace_when_asked(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.start("registry")
    town.wait("registry", "listening")
    args = ["--listen", town.addresses["1"], "--data", str(tmp_path / "1"), "--registry", town.registry]
    trace = tmp_path / "trace.jsonl"
    serve = subprocess.Popen(
        [*PAXOS, "serve", *args, "--cluster-size", "1", "--trace", str(trace)],
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    try:
        # It may not listen yet; then the client goes on asking.
        proposed = paxos("propose", "--node", town.addresses["1"], "x", "--timeout", f"{LONG_S}")
        assert proposed[:2] == (0, "x\n"), proposed.said
        serve.send_signal(signal.SIGINT)
        assert serve.wait(10) == 0
    finally:
        serve.kill()
        serve.wait()
        town.kill("registry")

    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert [event["event"] for event in events if event["event"] != "persisted"] == [
        "restart",
        "config_active",
        "promise_sent",
        "propose_sent",
        "accept_sent",
        "learned",
    ]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["get"], "either --registry HOST:PORT or --node HOST:PORT"),
        (["get", "--node", "a:1", "--registry", "b:1"], "either --registry"),
        (["get", "--node", "nowhere"], "is not HOST:PORT"),
        (["get", "--node", "a:1", "--timeout", "0"], "timeout"),
        (["propose", "--node", "a:1"], "VALUE"),
        (["serve", "--listen", "0.0.0.0:1", "--registry", "a:1", "--data", "d"], "--public"),
        (
            ["serve", "--listen", "0.0.0.0:1", "--registry", "a:1", "--data", "d", "--public"],
            "no other machine can connect",
        ),
        (["registry", "--listen", "0.0.0.0:1", "--data", "d"], "other machines can connect"),
        (["get", "--node", "a:1", "--cert", __file__], "all three of --cert, --key and --ca"),
        (
            ["get", "--node", "a:1", *(arg for o in ("cert", "key", "ca") for arg in (f"--{o}", __file__))],
            "TLS can't use",
        ),
        (["serve", "--listen", "127.0.0.1:0", "--registry", "a:1", "--data", "d"], "port 0"),
        (["frobnicate"], "No such command"),
    ],
)
def test_bad_arguments_are_explained(
    args: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = paxos(*args)

    assert (ended.status, ended.out) == (254, "")
    assert why in ended.said
    assert not list(tmp_path.iterdir()), "it made something nevertheless"


@pytest.mark.parametrize("args", [["get"], ["propose", "x"], ["status"]])
def test_silence_is_told_from_ignorance(args: list[str]) -> None:
    ended = paxos(*args, "--registry", f"127.0.0.1:{free_ports(1)[0]}", "--timeout", "1")

    assert ended.status == 1
    assert "does not answer" in ended.said


def test_a_proposal_waits_for_a_cluster_that_is_only_just_starting(town: Town) -> None:
    proposal = subprocess.Popen(
        [*PAXOS, "propose", "--registry", town.registry, "--timeout", f"{LONG_S}", "x"],
        stdout=subprocess.PIPE,
        env=environment(),
    )
    for name in ("registry", "1", "2", "3"):
        town.start(name)

    printed, _ = proposal.communicate(timeout=LONG_S)

    assert (proposal.returncode, printed) == (0, b"x\n")


def test_an_interrupted_client_ends_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        client = subprocess.Popen(
            [*PAXOS, "propose", "--node", address, "x"], stderr=subprocess.PIPE, env=environment()
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            client.send_signal(signal.SIGINT)
            _, said = client.communicate(timeout=LONG_S)

    assert (client.returncode, said.strip()) == (130, b"")


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    code = "import sys, ostrakon.paxos_impl.cli; print(sorted({'trio', 'msgspec'} & set(sys.modules)))"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())

    assert shown.stdout == "[]\n", shown.stderr


def test_an_instance_whose_log_is_gone_does_not_vote_as_if_it_had_promised_nothing(town: Town) -> None:
    town.start("registry")
    for name in ("1", "2", "3"):
        town.start(name)
    for name in ("1", "2", "3"):
        town.wait(name, "serving as server")
    assert paxos("propose", "--registry", town.registry, "x").status == 0
    town.kill("3")
    (town.root / "3" / "log").unlink()

    town.start("3")

    town.wait("3", "log is missing, and with it the promises of this instance")
    assert town.running.pop("3").wait(10) == 255
