from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostrakon.reports import campaign, run
from tests.reports.reading import Page
from tests.reports.samples import write_run

SUMMARY: dict[str, Any] = {
    "valid": False,
    "why": "3 of 4,211 trials failed, in 2 ways",
    "workload": "decree",
    "trials": {"total": 4_211, "valid": 4_190, "unknown": 18, "invalid": 3},
    "trials_per_s": 7.0,
    "virtual_s": 21_060.0,
    "elapsed_s": 600.0,
    "workers": 2,
    "failures": [
        {
            "reason": "P8 vote hidden",
            "count": 2,
            "why": "n2 hid its vote",
            "seed": 77,
            "replay": "ostrakon replay store/decree/seed-77",
            "folder": "",
        },
        {"reason": "split decision", "count": 1, "why": "x and y", "seed": 5, "replay": "", "folder": ""},
    ],
    "unknowns": [{"reason": "nothing chosen", "count": 18, "why": "no op succeeded", "seed": 3}],
    "faults": [{"kind": "kill", "asked": 4_000, "inert": 3}],
    "coverage": {
        "shapes": 310,
        "transitions": 97,
        "rare_transitions": ["learned >nack_sent"],
        "unseen_transitions": ["restart learned", "<b>learned restart"],
        "points": [{"name": "impatient instance", "reached": 12, "fired": 3}],
        "windows": [{"kind": "kill", "faults": 4_000, "quiet": 17, "ops_per_fault": 2.5}],
    },
    "determinism": {"reruns": 42, "divergent_seeds": [11]},
}


def _page(summary: dict[str, Any], path: Path) -> Page:
    return Page(campaign.render(summary, path / "campaign.html").read_text("utf-8"))


def test_a_campaign_tells_what_failed_how_often_and_how_to_see_it_again(tmp_path: Path) -> None:
    text = _page(SUMMARY, tmp_path).text

    assert "P8 vote hidden 2 trials, the smallest with seed 77 n2 hid its vote" in text
    assert "ostrakon replay store/decree/seed-77" in text
    assert "virtual time 5.85 h" in text
    assert "kill 4,000 3" in text


def test_seeds_that_did_not_run_the_same_twice_stand_out(tmp_path: Path) -> None:
    assert "Seeds that did not run the same twice 11" in _page(SUMMARY, tmp_path).text


def test_what_was_exercised_is_told_and_what_never_was(tmp_path: Path) -> None:
    text = _page(SUMMARY, tmp_path).text

    assert "97 310" in text
    assert "kill 4,000 17 2.5" in text
    assert "impatient instance 12 3" in text
    assert "Never seen, one after the other (some cannot be): 2 restart learned <b>learned restart" in text


def test_the_page_of_a_campaign_that_goes_on_loads_itself_anew(tmp_path: Path) -> None:
    going_on = campaign.render({**SUMMARY, "running": True}, tmp_path / "a.html").read_text("utf-8")
    over = campaign.render(SUMMARY, tmp_path / "b.html").read_text("utf-8")

    assert '<meta http-equiv="refresh" content="10">' in going_on
    assert "still going on" in going_on
    assert "refresh" not in over.partition("<body>")[0].partition("<style>")[0]


def test_a_finding_leads_to_the_report_of_its_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "decree" / "a b")
    run.render(folder)
    failure = {**SUMMARY["failures"][0], "folder": str(folder)}

    assert "decree/a%20b/report.html" in _page({**SUMMARY, "failures": [failure]}, tmp_path).links


def test_a_campaign_leads_back_to_its_store(tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()

    assert "../index.html" in _page(SUMMARY, tmp_path / "campaigns").links


def test_nothing_is_required_of_a_summary(tmp_path: Path) -> None:
    page = _page({}, tmp_path)

    assert page.text.startswith("unknown: campaign")
    assert page.unbalanced == []


@pytest.mark.parametrize("junk", [3, "<b>", [1], ["<b>"], {"a": 1}, None])
@pytest.mark.parametrize("field", sorted({*SUMMARY, "own_failures", "recipes", "parameters", "resume"}))
def test_summaries_of_any_shape_make_a_page(tmp_path: Path, field: str, junk: object) -> None:
    page = _page({**SUMMARY, field: junk}, tmp_path)

    assert page.unbalanced == []
    assert page.tags["b"] == 0
