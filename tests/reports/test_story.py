"""What a page says first: what happened, a moment a line, and what became of each planned fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ostrakon.reports.run import render

PLAN = {
    "workload": "mine",
    "seed": 1,
    "nodes": 3,
    "faults": [
        {"kind": "partition", "at_ms": 400, "for_ms": 700, "grudge": {"n1": ["n2"]}},
        {"kind": "kill", "at_ms": 90_000, "for_ms": 10, "nodes": ["n1"]},
    ],
}
RESULTS = {
    "valid": False,
    "why": "there is no order for write 1 (0..1) and read (2..3)",
    "headline": "n2 answered read a with nil, 0.34 s after n1 had acknowledged write a = 1",
    "story": ["0.134–0.200 s  n1 acknowledged write a = 1", "<b>1.428 s</b>  n2 answered nil to read a"],
    "faults": [
        {
            "fault": 0,
            "kind": "partition",
            "messages": 12,
            "stopped": [],
            "inert": False,
            "told": "partition n1 does not hear n2, 0.40–1.10 s, stopped 12 messages",
        }
    ],
}


def page(folder: Path, results: dict[str, Any]) -> str:
    (folder / "plan.json").write_text(json.dumps(PLAN))
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "history.jsonl").write_text("")
    return render(folder).read_text()


def test_the_page_says_first_what_happened_and_then_how(tmp_path: Path) -> None:
    text = page(tmp_path, RESULTS)

    headline = text.index("n2 answered read a with nil, 0.34 s after n1 had acknowledged write a = 1")
    first, second = text.index("0.134–0.200 s"), text.index("1.428 s")
    assert headline < first < second
    assert "<b>1.428" not in text


def test_planned_and_real_faults_are_one_table(tmp_path: Path) -> None:
    text = page(tmp_path, RESULTS)

    assert text.count("<td>partition</td>") == 1
    assert "<td>n1 does not hear n2</td>" in text
    assert "<td>stopped 12 messages</td>" in text
    assert "not recorded" in text
    assert text.count("<caption>Faults") == 1


def test_results_that_tell_no_story_are_shown_as_before(tmp_path: Path) -> None:
    told = {name: what for name, what in RESULTS.items() if name not in ("headline", "story")}

    text = page(tmp_path, told)

    assert "there is no order for write 1 (0..1) and read (2..3)" in text
    assert 'class="story"' not in text
