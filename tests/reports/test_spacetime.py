from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.reports import spacetime
from ostrakon.reports.bands import Band, bands
from tests.reports.reading import classed, svg, texts, titles
from tests.reports.samples import DUEL, MS, SPLIT, trace


def test_no_trace_is_nothing_to_draw_and_says_so() -> None:
    drawing = spacetime.draw(())

    assert (drawing.svg, drawing.summary) == ("", "No node reported anything.")


def test_nodes_have_lanes_in_their_natural_order() -> None:
    events = trace((1, "n10", "learned", {}), (2, "n2", "learned", {}))

    drawing = spacetime.draw(events, nodes=("n1",))

    assert ["".join(lane.itertext()) for lane in classed(drawing.svg, "who")][::2] == ["n1", "n2", "n10"]


def test_every_message_that_was_seen_to_arrive_is_an_arrow() -> None:
    drawing = spacetime.draw(DUEL, witness=[DUEL[5]])

    assert len(classed(drawing.svg, "arrow")) == 5
    assert "prepare 1.1 from n1 to n2, 1 ms" in titles(drawing.svg)


def test_a_message_that_nobody_answered_is_a_stub_that_names_who_did_not_get_it() -> None:
    drawing = spacetime.draw(DUEL, witness=[DUEL[5]])

    assert "✕ n3" in texts(drawing.svg)
    assert "prepare 1.1 from n1 to n3: nothing shows that it arrived" in titles(drawing.svg)


def test_time_runs_downwards_and_no_two_marks_share_a_row() -> None:
    drawing = spacetime.draw(DUEL, witness=DUEL)
    rows = [float(mark.find("text").get("y")) for mark in classed(drawing.svg, "event")]  # type: ignore

    assert rows == sorted(rows)
    assert len(set(rows)) == len(rows) == len(DUEL)


def test_the_witness_is_ringed() -> None:
    drawing = spacetime.draw(DUEL, witness=[DUEL[4], DUEL[8]])

    assert len(classed(drawing.svg, "halo")) == 2


def test_client_ops_of_the_witness_stand_on_a_lane_of_their_own() -> None:
    drawing = spacetime.draw(DUEL, witness=[DUEL[5]], ops=[SPLIT[0], SPLIT[2]])

    assert {"clients", '0 invoke propose "x"', '0 ok propose "x"'} <= set(texts(drawing.svg))


def test_values_that_stand_against_each_other_have_their_colours() -> None:
    drawing = spacetime.draw(DUEL, witness=DUEL, colours={'"x"': 0, '"y"': 1})

    assert len(classed(drawing.svg, "v0")) == 3
    assert len(classed(drawing.svg, "v1")) == 1


def test_a_fault_that_begins_or_ends_within_the_story_has_a_row_and_its_victims_are_shaded() -> None:
    drawing = spacetime.draw(DUEL, bands(SPLIT, {}), witness=DUEL)

    said = texts(drawing.svg)
    assert {"partition: minority n1 n2 | n3 begins · kill: n2 begins", "kill: n2 ends"} <= set(said), said
    assert len(classed(drawing.svg, "stopped")) == 1


def test_many_faults_that_begin_before_anything_else_happens_take_one_row() -> None:
    crowd = [Band("delay", -1, None, f"n{number}") for number in range(20)]

    drawing = spacetime.draw(DUEL, crowd, witness=DUEL)

    assert len(classed(drawing.svg, "fault-row")) == 1


def test_a_fault_that_goes_on_all_the_time_is_told_of_too() -> None:
    drawing = spacetime.draw(DUEL, [Band("pause", -1, None, "n3", ("n3",))], witness=DUEL)

    assert "pause: n3 goes on" in texts(drawing.svg)


def test_a_fault_long_over_is_not_told_of() -> None:
    drawing = spacetime.draw(DUEL[4:], [Band("pause", 0, 1 * MS, "n3", ("n3",))], witness=DUEL[4:])

    assert not classed(drawing.svg, "fault-row")


def test_what_is_left_out_is_told() -> None:
    assert spacetime.draw(DUEL, witness=[DUEL[2]], limit=2).note.startswith("2 of 10 trace events are drawn")


def test_a_promise_says_what_the_acceptor_had_voted_for() -> None:
    promise = {"ballot": [2, 3], "accepted": [[0, [1, 1], "x"]]}

    assert 'promise 2.3, had 1.1="x"' in texts(spacetime.draw(trace((1, "n1", "promise_sent", promise))).svg)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=200))
def test_no_name_or_value_however_hostile_breaks_the_drawing(node: str, event: str, value: str) -> None:
    events = trace((1, node, event, {"value": value, "message": value, "to": [value]}))

    drawing = spacetime.draw(events, witness=events, colours={"x": 0})

    assert len(classed(drawing.svg, "event")) == 1
    assert not list(svg(drawing.svg).iter("script"))
