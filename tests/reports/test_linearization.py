from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers.linearizability import linearizable
from ostrakon.reports.linearization import Order, orders, points
from ostrakon.reports.timeline import draw
from tests.reports.reading import classed, texts
from tests.reports.samples import ops

STALE = ops(
    (1, "invoke", 0, "write", 1),
    (2, "ok", 0, "write", 1),
    (3, "invoke", 0, "write", 2),
    (4, "ok", 0, "write", 2),
    (5, "invoke", 1, "read", None),
    (6, "ok", 1, "read", 1),
    (7, "invoke", 0, "write", 3),
    (8, "ok", 0, "write", 3),
)
"""The second process reads what was overwritten before."""


def test_an_invalid_verdict_tells_how_far_there_is_an_order_and_where_it_breaks() -> None:
    (order,) = orders(linearizable(STALE, "register").to_json())

    assert order.invoked == (0, 2)
    assert order.blocked == 4


def test_a_valid_verdict_tells_a_whole_order() -> None:
    (order,) = orders(linearizable(STALE[:4], "register").to_json())

    assert (order.invoked, order.blocked) == ((0, 2), None)


def test_an_order_that_breaks_comes_before_whole_ones() -> None:
    whole = {"details": {"linearization": [{"object": "x", "order": [0]}]}}
    broken = {"details": {"partial_linearization": {"object": "y", "order": [2], "blocked": 4}}}

    found = orders({"parts": {"a": whole, "b": broken}})

    assert found == [Order("y", "y", (2,), 4), Order("x", "x", (0,))]


def test_what_is_no_order_is_left_out() -> None:
    nonsense = [None, 3, {"order": "x"}, {"order": [1, "y"]}, {"object": 1}]

    assert orders({"details": {"linearization": nonsense, "partial_linearization": 7}}) == []
    assert orders(None) == []


@given(st.lists(st.integers(0, 50), max_size=12))
def test_each_operation_takes_effect_after_its_invocation_and_after_those_before_it(
    begins: list[int],
) -> None:
    order = Order("", None, tuple(range(len(begins))))

    found = points(order, dict(enumerate(begins)))

    moments = [found[index] for index in order.invoked]
    assert moments == sorted(moments)
    assert all(moment >= begin for moment, begin in zip(moments, begins, strict=True))


def test_the_order_is_drawn_on_the_bars_with_the_operation_that_breaks_it() -> None:
    (order,) = orders(linearizable(STALE, "register").to_json())

    drawing = draw(STALE, order=order)

    assert [moment for moment in texts(drawing.svg) if moment.isdigit()] == ["1", "2"]
    assert "no order gets past this" in texts(drawing.svg)
    assert len(classed(drawing.svg, "break")) == 2
