from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.faults import kind_names
from ostrakon.harness.history import History, Op
from ostrakon.reports import timeline
from ostrakon.reports.bands import bands
from tests.reports.reading import classed, svg, texts, titles
from tests.reports.samples import INVOKED_AND_DONE, MS, SPLIT, ops

STYLE = files("reports") / "pages" / "style.css"


def test_an_empty_history_has_nothing_to_draw_and_says_so() -> None:
    drawing = timeline.draw(History())

    assert (drawing.svg, drawing.summary) == ("", "No client did anything.")


@pytest.mark.parametrize("kind", kind_names())
def test_every_kind_of_fault_has_a_colour_on_light_ground_and_on_dark(kind: str) -> None:
    style = STYLE.read_text()
    group = timeline.fault_class(kind)
    (colour,) = re.findall(rf"\.{group} {{ --fault: var\((--[a-z-]+)\)", style)

    assert group != "fault-other"
    assert len(re.findall(rf"{colour}: #[0-9a-f]{{6}};", style)) == 2


def test_a_legend_names_kinds_of_one_colour_together() -> None:
    assert timeline.fault_legend(["clock_jump", "clock_skew", "kill", "quake", "stop"]) == [
        ("clock jump, clock skew", "fault-clock"),
        ("kill, stop", "fault-kill"),
        ("quake", "fault-other"),
    ]


def test_a_single_op_is_drawn() -> None:
    drawing = timeline.draw(ops((1, "invoke", 0, "get", None), (2, "ok", 0, "get", "x")))

    assert len(classed(drawing.svg, "op")) == 1
    assert "get x" in texts(drawing.svg)


def test_every_op_is_drawn_once_and_as_it_ended() -> None:
    drawing = timeline.draw(SPLIT, concurrency=2)

    ended = [(op.get("id"), op.get("data-type")) for op in classed(drawing.svg, "op")]
    assert ended == [("op-0", "ok"), ("op-1", "ok"), ("op-9", "fail"), ("op-11", "info"), ("op-13", "info")]
    assert drawing.summary.endswith("2 ok, 1 failed, 2 with unknown outcome.")


def test_a_process_that_took_over_from_another_has_its_lane() -> None:
    drawing = timeline.draw(SPLIT, concurrency=2)

    assert [lane for lane in texts(drawing.svg) if lane.startswith("client")] == ["client 0", "client 1"]


def test_without_concurrency_every_process_has_a_lane() -> None:
    drawing = timeline.draw(SPLIT)

    assert [lane for lane in texts(drawing.svg) if lane.startswith("process")] == [
        "process 0",
        "process 1",
        "process 3",
    ]


def test_the_witness_is_marked_and_leads_to_its_row() -> None:
    drawing = timeline.draw(SPLIT, witness={2})

    assert [op.get("id") for op in classed(drawing.svg, "witness")] == ["op-0"]
    assert [link.get("href") for link in svg(drawing.svg).iter("a")] == ["#row-op-2"]


def test_faults_are_drawn_by_kind_and_told_to_the_pointer() -> None:
    drawing = timeline.draw(SPLIT, bands(SPLIT, {}))

    assert len(classed(drawing.svg, "fault-partition")) == len(classed(drawing.svg, "fault-kill")) == 1
    assert "partition: minority n1 n2 | n3\nfrom 0.012000 s to 0.042000 s" in titles(drawing.svg)


def test_a_kind_of_fault_that_nobody_foresaw_is_drawn_too() -> None:
    assert timeline.fault_class('"><script>') == "fault-other"


def test_an_op_that_was_never_heard_of_again_says_what_that_means() -> None:
    assert any("it may take effect at any time" in title for title in titles(timeline.draw(SPLIT).svg))


def test_of_a_long_history_the_witness_and_its_neighbours_are_drawn() -> None:
    history = _long(5_000)

    drawing = timeline.draw(history, witness={6_001}, limit=100)

    drawn = [op.get("id") for op in classed(drawing.svg, "op")]
    assert len(drawn) == 100
    assert drawn[0] == "op-5900"
    assert "op-6000" in drawn
    assert drawing.note.startswith("Time is stretched")
    assert "100 of 5,000 operations are drawn" in drawing.note


def test_of_witnesses_far_apart_both_are_drawn() -> None:
    drawing = timeline.draw(_long(5_000), witness={1, 9_001}, limit=50)

    assert {op.get("id") for op in classed(drawing.svg, "witness")} == {"op-0", "op-9000"}


def test_bars_of_one_lane_never_lie_on_each_other() -> None:
    drawing = timeline.draw(_long(300), concurrency=3)
    bars = [classed_rect for op in classed(drawing.svg, "op") for classed_rect in op.iter("rect")]
    lanes: dict[str, float] = {}

    for bar in bars:
        x, y = float(bar.get("x", "0")), bar.get("y", "")
        assert x >= lanes.get(y, 0) - 0.2
        lanes[y] = x + float(bar.get("width", "0"))


values = st.none() | st.text(max_size=300) | st.integers() | st.lists(st.text(max_size=5), max_size=3)


@given(st.lists(st.tuples(st.text(max_size=9), values, st.sampled_from(["ok", "fail", "info"])), max_size=6))
def test_no_value_however_hostile_breaks_the_drawing(entries: list[tuple[str, object, str]]) -> None:
    history = ops(
        *(
            entry
            for n, (f, value, type_) in enumerate(entries)
            for entry in ((2 * n, "invoke", 0, f, value), (2 * n + 1, type_, 0, f, value))
        )
    )

    drawing = timeline.draw(history, witness={0})

    assert not entries or len(classed(drawing.svg, "op")) == len(entries)


def _long(many: int) -> History:
    return History(
        Op(index=2 * n + end, time=(4 * n + 2 * end) * MS, type=type_, process=n % 3, f="get", value=n)
        for n in range(many)
        for end, type_ in INVOKED_AND_DONE
    )
