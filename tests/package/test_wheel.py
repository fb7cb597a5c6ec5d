"""A package, not a folder: the wheel works in an empty environment, outside of the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RunIn = Callable[..., subprocess.CompletedProcess[str]]

CHAOS_TEST = """
import pytest

@pytest.mark.chaos(trials=2)
def test_a_decree_survives_restarts(trial, seed):
    trial("decree", seed=seed, nodes=3, nemesis="kill")
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with nothing in it, and the commands of an environment with nothing but the wheel in it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = folder / "venv"
    pip: list[str | Path] = [
        environment / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    steps: list[list[str | Path]] = [
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            folder,
            ROOT,
        ],
        [sys.executable, "-m", "venv", environment],
        [*pip, "--require-hashes", "-r", ROOT / "constraints.txt"],
    ]
    for step in steps:
        ran = run(*step, cwd=folder)
        assert ran.returncode == 0, ran.stderr
    (wheel,) = folder.glob("*.whl")
    ran = run(*pip, "--no-deps", wheel, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return folder, environment / "bin"


def test_the_commands_work(empty: tuple[Path, Path]) -> None:
    folder, commands = empty

    offers = run(commands / "ostrakon", "list", cwd=folder)
    trial = run(commands / "ostrakon", "test", "decree", "--seed", "1", "--nodes", "3", cwd=folder)
    scenario = run(commands / "ostrakon", "replay", "D3-two-minorities", cwd=folder)
    paxos = run(commands / "paxos", "--help", cwd=folder)

    assert offers.returncode == 0, offers.stderr
    assert "workload decree" in offers.stdout
    assert trial.returncode == 0, trial.stdout + trial.stderr
    assert (folder / "store" / "decree" / "seed-1" / "report.html").exists()
    assert scenario.returncode == 0, scenario.stdout + scenario.stderr
    assert paxos.returncode == 0, paxos.stderr


def test_the_plugin_works(empty: tuple[Path, Path]) -> None:
    folder, commands = empty
    (folder / "test_chaos.py").write_text(CHAOS_TEST)

    ran = run(commands / "pytest", "-q", "-m", "chaos", "test_chaos.py", cwd=folder)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 trials: 2 valid" in ran.stdout


def test_the_packages_are_typed_and_bring_their_pages(empty: tuple[Path, Path]) -> None:
    folder, commands = empty
    probe = (
        "import ostrakon.reports, pathlib; folder = pathlib.Path(ostrakon.__file__).parent; "
        "print((folder / 'py.typed').exists(), (folder / 'reports' / 'pages' / 'run.html').exists(), "
        "'site-packages' in str(folder))"
    )

    ran = run(commands / "python", "-c", probe, cwd=folder)

    assert ran.stdout.strip() == "True True True"


def test_the_wheel_has_one_top_level_package(empty: tuple[Path, Path]) -> None:
    folder, _ = empty
    (wheel,) = folder.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        top = {name.partition("/")[0] for name in archive.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == {"ostrakon"}
