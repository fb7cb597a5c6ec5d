from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history import History, Op
from ostrakon.reports import latency, rate
from ostrakon.reports.bands import bands
from ostrakon.reports.quantiles import Took, quantile, table, took, windows
from ostrakon.reports.scale import Linear, Logarithmic
from tests.reports.reading import classed, texts, titles
from tests.reports.samples import INVOKED_AND_DONE, MS, SPLIT, ops


def test_an_empty_history_has_no_latency_and_no_rate_and_says_so() -> None:
    assert latency.draw([]).summary == rate.draw([]).summary == "No operation completed."


def test_each_completed_op_is_a_mark_that_says_how_long_it_took() -> None:
    drawing = latency.draw(took(SPLIT))

    assert len(classed(drawing.svg, "dot")) == 4
    assert "propose ok, 38 ms at 0.002000 s" in titles(drawing.svg)


def test_faults_shade_the_time_they_were_at_work() -> None:
    drawing = latency.draw(took(SPLIT), bands(SPLIT, {}))

    assert len(classed(drawing.svg, "fault")) == 2


def test_an_op_that_took_no_time_at_all_is_drawn() -> None:
    history = ops((5, "invoke", 0, "get", None), (5, "ok", 0, "get", 1))

    assert len(classed(latency.draw(took(history)).svg, "dot")) == 1
    assert classed(rate.draw(took(history)).svg, "count")


def test_an_op_that_took_no_time_does_not_squeeze_those_that_did() -> None:
    history = ops(
        (5, "invoke", 0, "get", None),
        (5, "info", 0, "get", None),
        (6, "invoke", 1, "get", None),
        (30, "ok", 1, "get", 1),
    )

    axis = [text for text in texts(latency.draw(took(history)).svg) if text.endswith(" ms")]

    assert axis == ["10 ms", "100 ms"]


def test_a_hundred_thousand_ops_are_drawn_by_few_marks_and_the_slowest_is_among_them() -> None:
    every = [Took("get", "ok", n * MS, 1_000 + n % 997) for n in range(100_000)]
    every[31_415] = Took("get", "ok", 31_415 * MS, 9_000_000)

    kept = latency.thinned(every, Linear(0, 1e11, 0, 1_000), Logarithmic(1_000, 1e7, 250, 0))

    assert len(kept) <= latency.MARKS
    assert every[31_415] in kept


def test_quantiles_over_time_need_enough_ops() -> None:
    few = [Took("get", "ok", n * MS, 5) for n in range(59)]
    enough = [Took("get", "ok", n * MS, 5) for n in range(60)]

    assert windows(few) == {}
    assert sum(map(len, windows(enough).values())) == 60
    assert len(classed(latency.draw(enough).svg, "quantile")) == 4


def test_the_table_counts_what_never_completed_as_info() -> None:
    get, propose = table(SPLIT)

    assert (get.f, get.ok, get.fail, get.info, get.quantiles) == ("get", 0, 1, 2, ())
    assert (propose.ok, propose.quantiles) == (2, (9 * MS, 38 * MS, 38 * MS, 38 * MS))


def test_the_rate_counts_every_completion_once() -> None:
    history = History(
        Op(index=2 * n + end, time=n * MS + end, type=type_, process=0, f="get")
        for n in range(1_000)
        for end, type_ in INVOKED_AND_DONE
    )

    counted = [int(title.split()[0]) for title in titles(rate.draw(took(history)).svg)[1:]]

    assert sum(counted) == 1_000


@given(st.lists(st.integers(), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(values: list[int], part: float) -> None:
    found = quantile(sorted(values), part)

    assert found in values
    assert sum(value <= found for value in values) >= part * len(values) - 1e-9
