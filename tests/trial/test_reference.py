"""Workloads that no package offers: found in modules and in test files, from commands and from workers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.cli import run
from ostrakon.harness.plan import BadPlan, Plan, require_sense
from ostrakon.harness.reference import CannotLoad, load_workload, reference_of, workloads_in

COUNTER = '''
"""A register on one node that answers a line with a line."""

import trio

from ostrakon import Workload, linearizable, lines_to, models, reads_and_writes


async def serve():
    held = 0

    async def handle(stream):
        nonlocal held
        async for line in stream:
            if line.startswith(b"write "):
                held = int(line.split()[1]){broken}
            await stream.send_all(b"%d\\n" % held)

    await trio.serve_tcp(handle, 4000)


REGISTER = Workload(
    name="{name}",
    program=lambda site: serve(),
    connect=lines_to(4000, ask=lambda op: f"{{op.f}} {{op.value}}", answer=int),
    generator=reads_and_writes,
    check=lambda plan, history, trace: linearizable(history, models.register(initial=0)),
    defaults={{"nodes": 1}},
)
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of somebody's, with a sound register in a test file and a broken one in a package."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_sound.py").write_text(COUNTER.format(name="sound", broken=""))
    (tmp_path / "brokenlib").mkdir()
    (tmp_path / "brokenlib/__init__.py").write_text("")
    (tmp_path / "brokenlib/chaos.py").write_text(COUNTER.format(name="broken", broken=" + 1"))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("test_sound", "brokenlib"):
            del sys.modules[name]


SOUND, BROKEN = "tests/test_sound.py::REGISTER", "brokenlib.chaos:REGISTER"


def test_a_workload_is_found_in_a_file_and_in_a_module(project: Path) -> None:
    assert find_workload(SOUND).name == "sound"
    assert find_workload(BROKEN).name == "broken"
    assert list(workloads_in("tests/test_sound.py")) == [SOUND]


def test_a_reference_leads_back_to_the_workload_it_was_made_of(project: Path) -> None:
    for reference in (SOUND, BROKEN):
        workload = load_workload(reference)
        module = sys.modules["test_sound" if reference == SOUND else "brokenlib.chaos"]
        made = reference_of(workload, module)
        assert made is not None
        assert load_workload(made) is workload


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("tests/test_sound.py::REGISTRE", "has no 'REGISTRE'; did you mean REGISTER?"),
        ("tests/test_sound.py::serve", "is a function, not a Workload"),
        ("tests/test_sound.py", "name tests/test_sound.py::REGISTER"),
        ("tests/test_absent.py::X", "there is no file tests/test_absent.py"),
        ("brokenlib.chaso:REGISTER", "cannot be imported on .*: ModuleNotFoundError"),
        ("brokenlib.chaos:NOTHING", "name brokenlib.chaos:REGISTER"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_would(project: Path, reference: str, said: str) -> None:
    with pytest.raises(CannotLoad, match=said):
        load_workload(reference)


def test_commands_take_references_and_a_run_remembers_where_its_workload_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", "tests/test_sound.py"]) == 0
    assert run(["test", SOUND, "--seed", "1", "--nemesis", "none"]) == 0
    assert json.loads((project / "store/sound/seed-1/plan.json").read_text())["source"] == SOUND
    assert run(["replay", "store/sound/seed-1"]) == 0

    assert run(["test", BROKEN, "--seed", "1", "--nemesis", "none"]) == 1
    assert run(["shrink", "store/broken/seed-1", "--seconds", "2"]) == 1

    said = capsys.readouterr()
    assert f"workload {SOUND}" in said.out
    assert "to the byte" in said.err
    assert "from ostrakon import" in next((project / "store/broken").glob("shrunk*/test_*.py")).read_text()


def test_a_plan_of_an_offered_workload_says_nothing_of_where_it_is(project: Path) -> None:
    run(["test", "decree", "--seed", "1", "--nodes", "3", "--time-limit", "0.2"])

    assert "source" not in json.loads((project / "store/decree/seed-1/plan.json").read_text())


def test_workers_of_a_soak_find_a_workload_in_a_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["soak", BROKEN, "--trials", "4", "--workers", "1", "--json"]) == 1

    told = json.loads(capsys.readouterr().out)
    assert told["trials"]["invalid"] > 0
    assert told["own_failures"] == []
    assert (project / told["failures"][0]["folder"] / "plan.json").exists()


@pytest.mark.parametrize("name", ["../evil/x", "a/b", "", ".hidden", "a b", "x" * 101])
def test_a_workload_whose_name_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(BadPlan, match="workload is"):
        require_sense(Plan(workload=name, seed=1))


def test_a_seed_below_zero_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "decree", "--seed", "-5"]) == 254

    assert "--seed" in capsys.readouterr().err
