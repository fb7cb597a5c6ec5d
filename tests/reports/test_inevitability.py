"""The curve of other futures on the page of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ostrakon.reports import inevitability, run
from tests.reports.samples import write_run

TOLD = {
    "valid": False,
    "moments": [
        {"time": 0, "futures": 20, "failed": 0, "lost": 0, "share": 0.0, "interval": [0.0, 0.16]},
        {
            "time": 500_000_000,
            "futures": 20,
            "failed": 19,
            "lost": 0,
            "share": 0.95,
            "interval": [0.76, 0.99],
        },
    ],
    "step": [0, 500_000_000],
    "conclusion": "From 0.5000 s on, 19 of 20 futures fail; at 0.0000 s, 500.0 ms earlier, 0 of 20. Between:",
    "happened": [{"time": 400_000_000, "what": "nemesis: start-kill"}],
    "parts": [
        {"kind": "fault", "number": 0, "without": "valid", "reason": ""},
        {"kind": "fault", "number": 1, "without": "invalid", "reason": "split decision"},
    ],
}


def page(folder: Path, told: object) -> str:
    write_run(folder, (), ())
    (folder / inevitability.FILE).write_text(told if isinstance(told, str) else json.dumps(told))
    return run.render(folder).read_text()


def test_a_run_that_was_explained_shows_the_curve_its_step_and_what_the_failure_needs(tmp_path: Path) -> None:
    text = page(tmp_path, TOLD)

    assert "When it became inevitable" in text
    assert "19 of 20 futures fail" in text
    assert text.count('class="share"') == 3, "a line and two dots"
    assert 'class="step"' in text
    assert "The failure needs fault 0 of the plan. It fails without each of 1 other parts." in text


def test_a_run_that_was_not_explained_says_nothing_of_it(tmp_path: Path) -> None:
    write_run(tmp_path, (), ())

    assert "inevitable" not in run.render(tmp_path).read_text()


@pytest.mark.parametrize(
    "told",
    ["", "[]", "null", {"moments": 3}, {"moments": [{"time": "x"}]}, {"moments": []}, {**TOLD, "step": "x"}],
)
def test_a_damaged_explanation_does_not_cost_the_page(tmp_path: Path, told: object) -> None:
    assert "</html>" in page(tmp_path, told)
