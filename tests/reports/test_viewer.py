from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history import History, Op
from ostrakon.harness.history.message import Message
from ostrakon.reports import viewer
from ostrakon.reports.bands import bands
from ostrakon.reports.linearization import Order
from ostrakon.reports.viewer import deltas, packed, varints
from tests.reports.samples import DUEL, MS, SPLIT, ops
from tests.reports.unpacking import Reader, reader, unpacked


@given(st.lists(st.integers(-(2**70), 2**70)))
def test_varints_are_read_as_they_were_written(numbers: list[int]) -> None:
    data = Reader(varints(numbers))

    assert data.column(len(numbers), grows=False) == numbers
    assert data.at == len(data.data)


@given(st.lists(st.integers(-(2**60), 2**60)))
def test_deltas_add_up_to_what_they_were_made_of(numbers: list[int]) -> None:
    assert Reader(varints(deltas(numbers))).column(len(numbers), grows=True) == numbers


@given(
    st.dictionaries(st.text(), st.none() | st.text() | st.integers(-(2**50), 2**50)),
    st.lists(st.lists(st.integers(-(2**53), 2**53), max_size=9), max_size=4),
)
def test_what_is_packed_is_unpacked(header: dict[str, Any], columns: list[list[int]]) -> None:
    data = reader(packed(header, columns))

    assert data.header() == header
    assert [data.column(len(column), grows=False) for column in columns] == columns


def test_every_operation_is_in_the_view_with_all_that_there_is_to_say_of_it() -> None:
    view = _view(SPLIT, concurrency=2)

    assert view["count"] == 5
    assert view["lanes"] == ["client 0", "client 1"]
    assert view["start"] == [1 * MS, 2 * MS, 50 * MS, 60 * MS, 91 * MS]
    assert view["length"] == [9 * MS, 38 * MS, 5 * MS, 30 * MS, -1]
    assert [viewer.ENDS[end] for end in view["type"]] == ["ok", "ok", "fail", "info", "info"]
    assert [view["fs"][f] for f in view["f"]] == ["propose", "propose", "get", "get", "get"]
    assert [view["texts"][text] for text in view["asked"]] == ["x", "y", "", "", ""]
    assert view["process"] == [0, 1, 0, 1, 3]
    assert view["index"] == [0, 1, 9, 11, 13]


def test_a_read_of_nothing_answers_nil_and_an_acknowledgement_answers_nothing() -> None:
    history = ops(
        (1, "invoke", 0, "read", None),
        (2, "ok", 0, "read", None),
        (3, "invoke", 0, "acquire", None),
        (4, "ok", 0, "acquire", None),
    )

    view = _view(history)

    assert [view["texts"][text] for text in view["answered"]] == ["nil", ""]


def test_the_witness_is_told_by_the_operations_that_its_ops_are_halves_of() -> None:
    assert _view(SPLIT, witness={7, 9})["witness"] == [1, 2]


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ([["x", 1], ["y", None]], [["x"], ["y"]]),
        ([[["append", "x", 1], ["r", "y", None]], [["r", "x", None]]], [["x", "y"], ["x"]]),
        ([[0, 4], [1, 1]], [[], []]),
        ([3, None], [[], []]),
    ],
)
def test_operations_can_be_filtered_by_the_keys_that_their_values_name(
    values: Sequence[Any], keys: list[list[str]]
) -> None:
    entries = [(n, "invoke", n, "f", value) for n, value in enumerate(values)]

    view = _view(ops(*((one + 5, *rest) for one, *rest in entries)))

    assert [[view["keys"][key] for key in view["keysets"][keyset]] for keyset in view["keyset"]] == keys


def test_an_order_names_its_operations_by_their_numbers_and_where_it_breaks() -> None:
    order = Order("", None, (1, 0), blocked=9)

    view = _view(SPLIT, orders=[order])

    assert view["orders"] == [{"name": "", "key": None, "ops": [1, 0], "blocked": 2}]


def test_a_history_without_times_says_so() -> None:
    history = History(
        Op(index=n, time=n, type=kind, process=0, f="read")  # type: ignore[arg-type]
        for n, kind in enumerate(("invoke", "ok"))
    )

    assert _view(history)["timed"] is False
    assert _view(SPLIT)["timed"] is True


def test_messages_and_events_have_lanes_of_their_own() -> None:
    sent = [Message("n10", "n2", 5, 9, 3, "hi"), Message("clients", "n2", 2, None, 7)]

    view = _view(SPLIT, messages=sent, events=DUEL[:1])

    assert view["machines"] == ["clients", "n1", "n2", "n10"]
    assert (view["sent"], view["took"]) == ([2, 5], [-1, 4])
    assert [view["said"][said] for said in view["words"]] == ["7 bytes", "hi"]
    assert view["event_time"] == [0]


def test_a_hundred_thousand_operations_take_less_than_two_megabytes() -> None:
    entries = []
    for n in range(100_000):
        ask, done = [n % 200, None if n % 3 else n], [n % 200, n * 7919 % 5_000]
        entries.append(Op(2 * n, n * 1_000_003, "invoke", n % 20, "read" if n % 3 else "write", ask))
        entries.append(Op(2 * n + 1, n * 1_000_003 + 700_001 + n * 7919 % 99_991, "ok", n % 20, "read", done))

    element = viewer.view(viewer.Lanes(History(entries), 20), ())

    assert len(element) < 2_000_000


values = st.none() | st.text(max_size=30) | st.integers() | st.lists(st.text(max_size=5), max_size=3)


@given(st.lists(st.tuples(st.text(max_size=9), values, st.sampled_from(["ok", "fail", "info"])), max_size=6))
def test_no_value_however_hostile_gets_out_of_the_data(entries: list[tuple[str, object, str]]) -> None:
    history = ops(
        (0, "invoke", 0, "</script>", "<!--"),
        (1, "ok", 0, "</script>", "\u202e"),
        *(
            entry
            for n, (f, value, type_) in enumerate(entries, start=1)
            for entry in ((2 * n, "invoke", 0, f, value), (2 * n + 1, type_, 0, f, value))
        ),
    )

    element = str(viewer.view(viewer.Lanes(history, None), ()))

    assert element.count("<") == 2
    assert "\u202e" not in json.dumps(unpacked(element), ensure_ascii=False)


def test_a_history_without_operations_has_no_view() -> None:
    assert viewer.view(viewer.Lanes(History(), None), ()) == ""


def test_the_bytes_are_deflated_without_a_header_as_browsers_expect() -> None:
    assert zlib.decompress(b64decode(packed({}, [])), -15) == b"\x04{}"


def _view(history: History, *, concurrency: int | None = None, **more: Any) -> dict[str, Any]:
    lanes = viewer.Lanes(history, concurrency)
    return unpacked(str(viewer.view(lanes, bands(history, {}), **more)))
