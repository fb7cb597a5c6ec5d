"""Environments with Ostrakon in them: from a wheel, and as an editable install of this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment."""

    folder: Path
    """A folder with nothing of ours in it."""
    bin: Path
    """Where its commands are."""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed."""
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=280)


def installed(folder: Path) -> Environment:
    """A new environment with the pinned dependencies and the wheel of this checkout."""
    environment = Environment(folder, folder / "venv" / "bin")
    # From a copy: a build leaves folders behind, in which the next one would find removed files.
    sources = folder / "sources"
    for name in ("ostrakon", "paxos_impl", "harness", "checkers", "workloads", "reports"):
        shutil.copytree(ROOT / name, sources / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "-w", folder)
    wheel: list[str | Path] = ["-m", "pip", "wheel", *options, sources]
    _run_all(folder, [[sys.executable, *wheel], [sys.executable, "-m", "venv", folder / "venv"]])
    (built,) = folder.glob("*.whl")
    python = environment.bin / "python"
    pinned: list[str | Path] = [python, *_PIP, "--require-hashes", "-r", ROOT / "constraints.txt"]
    _run_all(folder, [pinned, [python, *_PIP, "--no-deps", built]])
    return environment


def editable() -> Environment:
    """The environment that runs these tests, in which this checkout is installed."""
    return Environment(ROOT, Path(sys.executable).parent)


def _run_all(folder: Path, steps: Sequence[Sequence[str | Path]]) -> None:
    for step in steps:
        ran = run(*step, cwd=folder)
        assert ran.returncode == 0, ran.stderr
