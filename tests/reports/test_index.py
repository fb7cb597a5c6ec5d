from __future__ import annotations

from pathlib import Path

from ostrakon.checkers.verdict import Verdict
from ostrakon.reports import index, run
from tests.reports.reading import Page
from tests.reports.samples import PLAN, write_run


def _page(store: Path) -> Page:
    return Page(index.render(store).read_text("utf-8"))


def test_an_empty_store_says_how_to_begin(tmp_path: Path) -> None:
    assert "Nothing has been run yet: ostrakon test decree makes a first run." in _page(tmp_path).text


def test_the_worst_runs_come_first(tmp_path: Path) -> None:
    write_run(tmp_path / "decree" / "good", verdict=Verdict.passed())
    write_run(tmp_path / "decree" / "bad")
    write_run(tmp_path / "decree" / "odd", verdict=Verdict.unknown("nothing was learned"))

    text = _page(tmp_path).text

    assert text.index("invalid bad") < text.index("unknown odd") < text.index("valid good")


def test_a_run_is_told_by_what_one_looks_for(tmp_path: Path) -> None:
    faults = [{"kind": "kill"}, {"kind": "kill"}, {"kind": "pause"}]
    write_run(tmp_path / "decree" / "seed-7", plan={**PLAN, "faults": faults})

    text = _page(tmp_path).text

    assert "invalid seed-7 decree amnesiac 7 kill ×2, pause 5 process 0 was told" in text


def test_a_run_leads_to_its_report_and_without_one_to_its_folder(tmp_path: Path) -> None:
    run.render(write_run(tmp_path / "decree" / "a"))
    write_run(tmp_path / "decree" / "b #1?")

    links = _page(tmp_path).links

    assert {"decree/a/report.html", "decree/b%20%231%3F"} <= set(links)


def test_the_link_to_the_latest_run_is_not_a_run_of_its_own(tmp_path: Path) -> None:
    write_run(tmp_path / "decree" / "a")
    (tmp_path / "latest").symlink_to("decree/a")

    assert "1 run " in _page(tmp_path).text


def test_a_damaged_run_is_listed_as_unknown(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "decree" / "a")
    (folder / "results.json").write_bytes(b"{")
    (folder / "history.jsonl").unlink()

    assert "unknown a decree amnesiac" in _page(tmp_path).text


def test_hostile_results_are_text(tmp_path: Path) -> None:
    write_run(tmp_path / "decree" / "a", why="<script>alert(1)</script>", workload='"><img src=x>')

    page = _page(tmp_path)

    assert (page.tags["script"], page.tags["img"], page.unbalanced) == (1, 0, [])


def test_campaigns_of_the_store_are_linked(tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "decree 1.html").write_text("")

    assert "campaigns/decree%201.html" in _page(tmp_path).links


def test_a_store_of_thousands_is_cut_and_says_so(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / "decree" / str(n)).mkdir(parents=True)
        (tmp_path / "decree" / str(n) / "plan.json").write_bytes(b"{}")
    index.ROWS, rows = 10, index.ROWS
    try:
        text = _page(tmp_path).text
    finally:
        index.ROWS = rows

    assert "the first 10 of 30" in text
