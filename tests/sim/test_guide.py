"""The example in the guide runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"


def test_the_example_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)

    exec(compile(example, str(GUIDE), "exec"), {})

    time_s, said = capsys.readouterr().out.split(" ", 1)
    assert said == "b'anyone there?'\n"
    assert 60 < float(time_s) < 61


def test_every_test_that_the_guide_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)`", GUIDE.read_text())

    assert named
    assert not [name for name in named if not (Path(__file__).parent / name).exists()]
