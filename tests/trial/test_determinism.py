"""The same plan gives the same bytes: in fresh processes, under any hash seed, on every Python there is."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ostrakon.harness.plan import Plan, encode_plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import Store
from ostrakon.harness.trial import run
from ostrakon.workloads.decree import DECREE

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "testdata" / "trial" / "digests.txt"
PROGRAM = (
    "import sys; from ostrakon.harness.cli import main; main(['replay', sys.argv[1], '--store', sys.argv[2]])"
)


def plans() -> dict[str, Plan]:
    kinds = ("none", "partition", "kill", "power_loss", "pause", "all")
    return {f"{kind}-{seed}": plan_for(DECREE, seed=seed, nemesis=kind) for kind in kinds for seed in (1, 2)}


def run_apart(plan: Path, folder: Path, *, python: str = sys.executable, hash_seed: str = "0") -> Path:
    """Run a plan in a process of its own; returns the run folder."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [python, "-c", PROGRAM, str(plan), str(folder)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode in (0, 1, 2), ran.stderr
    return (folder / "latest").resolve()


def first_divergence(one: Path, other: Path) -> str:
    """Where two recordings first differ, for people; empty if they do not."""
    for name in ("history.jsonl", "trace.jsonl"):
        lines = itertools.zip_longest(*((folder / name).read_text().splitlines() for folder in (one, other)))
        for number, (left, right) in enumerate(lines, start=1):
            if left != right:
                return f"{name}, line {number}:\n  {left}\n  {right}"
    return ""


@pytest.mark.parametrize("name", ["all-1", "power_loss-2"])
def test_two_fresh_processes_record_the_same_bytes(name: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(encode_plan(plans()[name]))

    one = run_apart(plan, tmp_path / "one", hash_seed="1")
    other = run_apart(plan, tmp_path / "other", hash_seed="31337")

    assert first_divergence(one, other) == ""
    assert (one / "history.jsonl").stat().st_size > 1000, "vacuous: hardly anything happened"


def test_a_divergence_is_shown_where_it_begins(tmp_path: Path) -> None:
    for name, text in (("one", "a\nb\nc\n"), ("other", "a\nB\nC\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.jsonl").write_text(text)
        (tmp_path / name / "trace.jsonl").write_text("")

    assert first_divergence(tmp_path / "one", tmp_path / "other") == "history.jsonl, line 2:\n  b\n  B"


def test_other_seeds_go_other_ways() -> None:
    digests = {run(plan_for(DECREE, seed=seed), workload=DECREE).digest for seed in range(5)}

    assert len(digests) == 5


def test_recordings_are_the_same_on_every_python(rewrite: bool) -> None:
    """The golden file was written by one version; each that runs this test must agree with it."""
    found = "".join(f"{name} {run(plan, workload=DECREE).digest}\n" for name, plan in plans().items())

    if rewrite:
        GOLDEN.parent.mkdir(exist_ok=True, parents=True)
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_another_python_replays_to_the_byte(version: str, tmp_path: Path) -> None:
    python = other_python(version)
    plan = tmp_path / "plan.json"
    plan.write_bytes(encode_plan(plans()["all-1"]))

    here = run_apart(plan, tmp_path / "here")
    there = run_apart(plan, tmp_path / "there", python=python)

    assert first_divergence(here, there) == ""


def other_python(version: str) -> str:
    """The interpreter of an environment that `make pythons` made."""
    python = ROOT / ".venvs" / version / "bin" / "python"
    if not python.exists():
        found = shutil.which(f"python{version}")
        why = "make pythons would set it up" if found else "it is not installed"
        pytest.skip(f"no environment for Python {version}: {why}")
    return str(python)


def test_a_replayed_run_folder_says_that_the_same_happened(tmp_path: Path) -> None:
    first = run(plans()["kill-1"], workload=DECREE, store=Store(tmp_path / "first"))
    assert first.folder is not None

    again = run_apart(first.folder, tmp_path / "again")

    assert first_divergence(first.folder, again) == ""
