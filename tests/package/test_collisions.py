"""A user's project may have folders and modules of any name, ours among them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.package.environment import Environment

CHAOS_TEST = """
import pytest

import checkers
import harness
import paxos_impl
import reports
import workloads
from ostrakon import Workload, linearizable, lines_to, models, reads_and_writes

REGISTER = Workload(
    name="my-register",
    program=lambda site: harness.serve(4000),
    connect=lines_to(4000, ask=lambda op: f"{op.f} {op.value}", answer=int),
    generator=reads_and_writes,
    check=lambda plan, history, trace: linearizable(history, models.register(initial=0)),
)


@pytest.mark.chaos(trials=2)
def test_the_register_is_linearizable(trial, seed):
    assert (checkers.OURS, reports.OURS, workloads.OURS, paxos_impl.OURS) == (True,) * 4
    trial(REGISTER, seed=seed, nodes=1, nemesis="pause")
"""
PROGRAM = """
import trio


async def serve(port):
    number = 0

    async def handle(stream):
        nonlocal number
        async for line in stream:
            if line.startswith(b"write "):
                number = int(line.split()[1])
            await stream.send_all(b"%d\\n" % number)

    await trio.serve_tcp(handle, port)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a module or a package of each of our folders' names."""
    (tmp_path / "checkers.py").write_text("OURS = True\n")
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text(PROGRAM)
    for name in ("reports", "workloads", "paxos_impl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("OURS = True\n")
    (tmp_path / "test_chaos.py").write_text(CHAOS_TEST)
    return tmp_path


@pytest.mark.parametrize("is_a_module", [False, True], ids=["pytest", "python -m pytest"])
def test_a_project_with_all_our_names_passes_its_chaos_tests(
    environment: Environment, project: Path, is_a_module: bool
) -> None:
    start = [environment.bin / "python", "-m", "pytest"] if is_a_module else [environment.bin / "pytest"]
    # A script does not put the project's folder on the path of modules; its owner tells pytest to.
    path = [] if is_a_module else ["-o", "pythonpath=."]

    ran = subprocess.run(
        [*start, "-q", "-m", "chaos", *path], cwd=project, capture_output=True, text=True, timeout=280
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 trials: 2 valid" in ran.stdout


def test_the_module_is_the_command(environment: Environment, project: Path) -> None:
    ran = subprocess.run(
        [environment.bin / "python", "-m", "ostrakon", "list"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr
    assert "workload decree" in ran.stdout
