"""A package, not a folder: the wheel works in an empty environment, outside of the repository."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.package.environment import Environment, run

CHAOS_TEST = """
import pytest

@pytest.mark.chaos(trials=2)
def test_a_decree_survives_restarts(trial, seed):
    trial("decree", seed=seed, nodes=3, nemesis="kill")
"""


def test_the_commands_work(wheel: Environment, tmp_path: Path) -> None:
    ostrakon = wheel.bin / "ostrakon"

    offers = run(ostrakon, "list", cwd=tmp_path)
    trial = run(ostrakon, "test", "decree", "--seed", "1", "--nodes", "3", cwd=tmp_path)
    scenario = run(ostrakon, "replay", "D3-two-minorities", cwd=tmp_path)
    paxos = run(wheel.bin / "paxos", "--help", cwd=tmp_path)

    assert offers.returncode == 0, offers.stderr
    assert "workload decree" in offers.stdout
    assert trial.returncode == 0, trial.stdout + trial.stderr
    assert (tmp_path / "store" / "decree" / "seed-1" / "report.html").exists()
    assert scenario.returncode == 0, scenario.stdout + scenario.stderr
    assert paxos.returncode == 0, paxos.stderr


def test_the_plugin_works(wheel: Environment, tmp_path: Path) -> None:
    (tmp_path / "test_chaos.py").write_text(CHAOS_TEST)

    ran = run(wheel.bin / "pytest", "-q", "-m", "chaos", "test_chaos.py", cwd=tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 trials: 2 valid" in ran.stdout


def test_the_package_is_typed_and_brings_its_pages(wheel: Environment, tmp_path: Path) -> None:
    probe = (
        "import ostrakon.reports, pathlib; folder = pathlib.Path(ostrakon.__file__).parent; "
        "print((folder / 'py.typed').exists(), (folder / 'reports' / 'pages' / 'run.html').exists(), "
        "'site-packages' in str(folder))"
    )

    ran = run(wheel.bin / "python", "-c", probe, cwd=tmp_path)

    assert ran.stdout.strip() == "True True True", ran.stderr


def test_the_wheel_has_one_top_level_package(wheel: Environment) -> None:
    (built,) = wheel.folder.glob("*.whl")

    with zipfile.ZipFile(built) as archive:
        top = {name.partition("/")[0] for name in archive.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == {"ostrakon"}
