"""What is shown of a soak while it runs."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.duration import parse_duration
from ostrakon.harness.search.portfolio import Merit, Portfolio
from ostrakon.harness.search.soak import Limits, Progress
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import FailureGroup, Tally
from ostrakon.harness.search.view import LineView, PageView, share_done, status_line, watched

FINDING = FailureGroup(
    "invalid", "P7 promise broken", 1, 3, "n1 [broke] it", Plan(workload="decree", seed=3), "a/b"
)


def progress(tried: int = 0, elapsed_s: float = 0.0, **limits: Any) -> Progress:
    tally = Tally(Counter({"valid": tried}), virtual_s=1800.0)
    return Progress(tally, Limits(**limits), 2, 0, Portfolio(Swarm(workload="decree")), elapsed_s=elapsed_s)


def test_one_line_tells_rate_virtual_time_verdicts_and_failures() -> None:
    assert status_line(progress(3000, 10.0)) == (
        "3,000 trials · 300/s · 0.50 virtual h · 3,000 valid · 0 unknown · 0 invalid · 0 distinct failures"
        " · 0 shapes"
    )


@pytest.mark.parametrize(
    ("limits", "share"),
    [({}, 0.0), ({"seconds": 40.0}, 0.25), ({"trials": 60}, 0.5), ({"seconds": 40.0, "trials": 60}, 0.5)],
)
def test_the_bar_follows_the_limit_that_is_nearest(limits: dict[str, float], share: float) -> None:
    assert share_done(progress(30, 10.0, **limits)) == share


def test_lines_come_every_ten_seconds() -> None:
    lines: list[str] = []
    view = LineView(lines.append)

    for second in range(31):
        view.show(progress(second, float(second)))

    assert [int(line.split()[0]) for line in lines] == [0, 10, 20, 30]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_failure_is_told_with_the_line_that_replays_it(is_terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=200, color_system=None)

    with watched(console) as view:
        view.show(progress(5, 1.0, trials=10))
        view.found(FINDING)

    assert "FAILED  P7 promise broken: n1 [broke] it" in out.getvalue()
    assert "ostrakon replay a/b" in out.getvalue()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("8h", 28800), ("1h30m", 5400), ("0.5m", 30)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(
    st.text().filter(lambda text: not text[:1].isdigit())
    | st.sampled_from(["0", "0h", "1x", "5 m", "-1s", "1e3"])
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s, 10m, 8h or 1h30m"):
        parse_duration(text)


def test_a_terminal_shows_what_each_recipe_has_yielded() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    going = progress(5, 1.0, trials=10)
    going.portfolio.merits["storm"] = Merit(trials=5, shapes=1234, ways=2)

    with watched(console) as view:
        view.show(going)

    (storm,) = {" ".join(line.split()) for line in out.getvalue().splitlines() if line.startswith("storm")}
    assert storm.endswith("% 5 1,234 2")


def test_the_page_is_written_every_five_seconds_and_what_is_found_goes_to_the_view() -> None:
    lines: list[str] = []
    written: list[float] = []
    view = PageView(LineView(lines.append), lambda progress: written.append(progress.elapsed_s))

    for second in range(12):
        view.show(progress(second, float(second)))
    view.found(FINDING)

    assert written == [0.0, 5.0, 10.0]
    assert "FAILED" in lines[-1]
