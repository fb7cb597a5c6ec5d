"""The example in the guide runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"


def test_the_example_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example, *_ = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)

    exec(compile(example, str(GUIDE), "exec"), {})

    time_s, said = capsys.readouterr().out.split(" ", 1)
    assert said == "b'anyone there?'\n"
    assert 60 < float(time_s) < 61


def test_every_test_that_the_guide_names_exists() -> None:
    text = GUIDE.read_text()
    here, elsewhere = re.findall(r"`(test_\w+\.py)`", text), re.findall(r"`(tests/[\w/.]+)`", text)

    assert here
    assert elsewhere
    assert not [name for name in here if not list(Path(__file__).parent.rglob(name))]
    assert not [name for name in elsewhere if not (GUIDE.parents[1] / name).exists()]


def test_all_thirty_points_have_a_test_or_a_reason() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", GUIDE.read_text(), re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(1, 31))
    assert not [
        number for number, shown in rows if "test_" not in shown and "tests/" not in shown and number != "22"
    ]
