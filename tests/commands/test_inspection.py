"""A replay is looked into: what a node prints, and the world as it is at a moment."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostrakon.harness.cli import run

PROGRAM = """
import logging

import trio

from ostrakon import Workload, linearizable, lines_to, models, reads_and_writes


async def serve(name):
    held = 0

    async def handle(stream):
        nonlocal held
        async for line in stream:
            print(name, "got", line.decode().strip())
            logging.getLogger("server").info("held %d", held)
            if line.startswith(b"write "):
                held = int(line.split()[1])
                with open("/var/held", "w") as file:
                    file.write(str(held))
            await stream.send_all(b"%d\\n" % held)

    await trio.serve_tcp(handle, 4000)


TALKER = Workload(
    name="talker",
    program=lambda site: serve(site.name),
    connect=lines_to(4000, ask=lambda op: f"{op.f} {op.value}", answer=int),
    generator=reads_and_writes,
    check=lambda plan, history, trace: linearizable(history, models.register(initial=0)),
    defaults={"nodes": 2, "time_limit_s": 0.5},
)
"""


@pytest.fixture
def recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[str]:
    """A recorded run of a program that prints and logs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "talker.py").write_text(PROGRAM)
    run(["test", "talker.py::TALKER", "--seed", "1", "--nemesis", "none"])
    capsys.readouterr()
    yield "store/talker/seed-1"
    sys.modules.pop("talker", None)


def test_one_nodes_output_and_logging_come_with_virtual_times(
    recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["replay", recorded, "--print", "n2"])

    stamped = [line for line in capsys.readouterr().out.splitlines() if " s  " in line[:16]]
    times = [float(line.split()[0]) for line in stamped]
    assert times == sorted(times)
    assert any("n2 got write" in line for line in stamped)
    assert any("info server: held" in line for line in stamped)
    assert not any("n1 got" in line for line in stamped)


def test_the_world_stands_still_at_a_moment_and_goes_on_as_told(
    recorded: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "nodes\nlocals n1\nstep 5\nuntil 0.4s\nuntil 0.1s\nnonsense\ncontinue\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    run(["replay", recorded, "--break-at", "0.29s", "--node", "n1"])

    said = capsys.readouterr()
    for expected in ("(0.290000 s) ", "(0.295000 s) ", "(0.400000 s) ", "n1: running", "held = ", "in serve"):
        assert expected in said.out, expected
    assert "until 0.1s: expected a time after 0.4 s" in said.out
    assert "there is no command 'nonsense'" in said.out
    assert "n2#0" not in said.out
    assert "to the byte" in said.err, "looking changes nothing"


def test_messages_in_flight_and_files_are_shown_event_by_event(
    recorded: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "messages\nfiles n1\n" + "next-event\nmessages\n" * 40 + "files n1\ncontinue\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    run(["replay", recorded, "--break-at", "0.05s"])

    said = capsys.readouterr()
    assert "-> n1 at 0." in said.out, "a request on its way"
    assert "b'write " in said.out
    assert "/var/held: 1 bytes, 1 writes not synced, its name not synced" in said.out
    assert "to the byte" in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--print", "n9"], "there is no node 'n9'; there are n1, n2"),
        (["--break-at", "soon"], "--break-at soon: expected a virtual time such as 1.29s"),
        (["--break-at", "1s", "--node", "x"], "there is no node 'x'"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(
    recorded: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", recorded, *options]) == 254

    assert said in capsys.readouterr().err


def test_a_plan_for_another_substrate_is_refused(
    recorded: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"workload": "decree", "seed": 1, "substrate": "model"}))

    assert run(["replay", "plan.json", "--print", "n1"]) == 254

    assert "look into simulations" in capsys.readouterr().err
