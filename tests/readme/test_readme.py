"""The README's own lines, run as they stand there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ostrakon.harness.catalogue import find_workload, workload_names
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


def files() -> dict[str, str]:
    blocks = re.finditer(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
    return {block[1]: block[2] for block in blocks}


def shell(name: str) -> str:
    found = re.search(rf"<!-- run: {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert found, f"the README has no block to run called {name}"
    return found[1]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "chaos", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)


def test_the_chaos_test_of_the_readme_passes(example: Path) -> None:
    ran = run_pytest(example, "--trials", "5")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 trials: 5 valid, 0 unknown, 0 invalid" in ran.stdout
    assert (example / "store" / "index.html").exists()


def test_the_program_for_asyncio_passes_the_same_test(example: Path) -> None:
    test = example / "test_my_register.py"
    test.write_text(test.read_text().replace("from my_register", "from my_asyncio_register"))

    ran = run_pytest(example, "--trials", "5")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 trials: 5 valid, 0 unknown, 0 invalid" in ran.stdout


def test_the_chaos_test_of_the_readme_fails_when_processes_are_killed(example: Path) -> None:
    test = example / "test_my_register.py"
    test.write_text(test.read_text().replace('nemesis="pause"', 'nemesis="pause,kill"'))

    ran = run_pytest(example, "--trials", "3")

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "INVALID" in ran.stdout
    assert "not linearizable" in ran.stdout
    replay = re.search(r"^  replay: ostrakon (replay \S+)", ran.stdout, re.MULTILINE)
    assert replay, ran.stdout
    again = subprocess.run(
        [sys.executable, "-m", "ostrakon", *replay[1].split()],
        cwd=example,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert again.returncode == 1
    assert "INVALID" in again.stdout


def test_the_test_is_as_short_as_promised() -> None:
    code = [line for line in files()["test_my_register.py"].splitlines() if line.strip()]

    assert len(code) < 20


def test_the_trial_of_the_readme_goes_wrong_as_it_is_told_there(tmp_path: Path) -> None:
    command = re.search(r"^(ostrakon replay .*?) +# one that goes wrong$", README, re.MULTILINE)
    shown = re.findall(r"^INVALID .*$", README, re.MULTILINE)
    assert command, "the README has no trial that goes wrong"

    _, *arguments = command[1].split()
    ran = subprocess.run(
        [BIN / "ostrakon", *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert set(shown) & set(ran.stdout.splitlines()), "the README shows the outcome of another trial"


def test_readme_and_tutorial_tell_the_number_of_seeded_bugs() -> None:
    """ "More than 70" is true, is the same on both pages, and is not far below the count."""
    workloads = [find_workload(name) for name in workload_names()]
    bugs = {bug for workload in workloads for bug in workload.bugs}

    for page in (README, (ROOT / "docs" / "tutorial.md").read_text()):
        (told,) = re.findall(r"more than (\d+) seeded\s+bugs", page)
        assert int(told) < len(bugs) <= int(told) + 15, sorted(bugs)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The README's cluster on ports that are free here, in a process group of its own."""
    text = shell("cluster")
    for port, free in zip(range(7400, 7404), free_ports(4), strict=True):
        text = text.replace(f":{port}", f":{free}")
    script = tmp_path / "cluster.sh"
    script.write_text("set -e\n" + text)
    return script


def test_the_cluster_of_the_readme_keeps_its_decree(script: Path) -> None:
    with (
        (script.parent / "out").open("w+") as out,
        subprocess.Popen(
            ["bash", str(script)],
            cwd=script.parent,
            env=ENVIRONMENT,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as shell_process,
    ):
        try:
            status = shell_process.wait(timeout=90)
        finally:
            os.killpg(shell_process.pid, signal.SIGTERM)
        out.seek(0)
        text = out.read()

    assert status == 0, text
    assert [line for line in text.splitlines() if line == "blue"] == ["blue"] * 4, text
    assert len(re.findall(r"^127\.0\.0\.1:\d+ .*chosen blue$", text, re.MULTILINE)) == 3, text
