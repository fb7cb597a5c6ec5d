from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.reports import cycle
from ostrakon.reports.glossary import gloss
from tests.reports.reading import classed, svg, texts

SKEW: dict[str, Any] = {
    "transactions": {
        "T1": {"op": 2, "process": 0, "value": [["append", "x", 1], ["r", "y", []]]},
        "T2": {"op": 3, "process": 1, "value": [["append", "y", 1], ["r", "x", []]]},
    },
    "cycle": [
        {"from": "T1", "to": "T2", "kind": "rw", "why": "T1 read y before T2 appended to it"},
        {"from": "T2", "to": "T1", "kind": "realtime", "why": "T2 was complete before T1"},
    ],
}


def test_each_transaction_is_a_box_and_each_dependency_says_why() -> None:
    drawing = cycle.draw(SKEW)

    assert drawing is not None
    assert len(classed(drawing.svg, "transaction")) == len(classed(drawing.svg, "edge")) == 2
    assert {"append x 1, r y []", "T1 read y before T2 appended to it"} <= set(texts(drawing.svg))
    assert drawing.summary == "A cycle of 2 transactions: T1 rw, T2 realtime, and back to the first."


def test_two_cycles_of_a_page_do_not_share_names() -> None:
    first, second = (cycle.draw(SKEW, name=name) for name in ("a", "b"))

    assert first is not None
    assert second is not None
    names = [
        {found.get("id") for found in svg(made.svg).iter() if found.get("id")} for made in (first, second)
    ]
    assert names[0].isdisjoint(names[1])


@pytest.mark.parametrize(
    "edges", [None, [], ["x"], [{"from": "T1", "to": "T2"}], SKEW["cycle"][:1], SKEW["cycle"] * 20]
)
def test_what_is_no_cycle_or_too_long_a_one_is_not_drawn(edges: object) -> None:
    assert cycle.draw({**SKEW, "cycle": edges}) is None


@given(st.text(), st.text(), st.none() | st.text() | st.lists(st.lists(st.text() | st.integers())))
def test_no_name_or_value_however_hostile_breaks_the_drawing(label: str, why: str, value: object) -> None:
    edge = {"from": label, "to": label, "kind": why, "why": why}

    drawing = cycle.draw({"cycle": [edge], "transactions": {label: {"op": value, "value": value}}})

    assert drawing is not None
    assert len(classed(drawing.svg, "transaction")) == 1


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("consensus / P8", "a promise reports the acceptor's vote with the highest ballot"),
        ("G2-item-realtime", "write skew: each of some transactions missed what the next one wrote"),
        ("split decision", ""),
    ],
)
def test_short_names_are_explained_and_others_speak_for_themselves(name: str, meaning: str) -> None:
    assert gloss(name) == meaning
