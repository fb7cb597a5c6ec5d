"""Values compare as their JSON does, whatever Python holds of them."""

from __future__ import annotations

import json
import pickle
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers.value import canonical
from ostrakon.harness.history.edn import EdnReader
from ostrakon.harness.history.value import FALSE, TRUE, JsonNumber, freeze, freeze_all, json_text, thaw

scalars = st.sampled_from([0, 1, True, False, 0.0, -0.0, 1.0, nan, None, "", "1", "true", "null"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(values, values)
def test_values_are_equal_exactly_where_their_json_is(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

    assert (freeze(one) == freeze(other)) == same
    assert (canonical(one) == canonical(other)) == same
    assert (freeze_all([[one]])[0] == freeze_all([[other]])[0]) == same
    assert not same or hash(freeze(one)) == hash(freeze(other))


@given(values)
def test_thawing_undoes_freezing(value: Any) -> None:
    assert json.dumps(thaw(freeze(value))) == json.dumps(value).replace("NaN", '"##NaN"')


@pytest.mark.parametrize("value", [TRUE, FALSE])
def test_a_frozen_boolean_behaves_as_the_plain_one_but_for_numbers(value: Any) -> None:
    plain = bool(value)

    assert value == plain
    assert plain == value
    assert value != int(plain)
    assert int(plain) != value
    assert pickle.loads(pickle.dumps(value)) is value


def test_not_a_number_is_equal_to_itself() -> None:
    (read,) = EdnReader("##NaN")

    assert freeze(read) == freeze(nan)
    assert freeze(read) != freeze("NaN")
    assert canonical([nan]) != canonical([None])


def test_a_frozen_number_counts_as_a_number() -> None:
    assert JsonNumber(1.5) + 1 == 2.5
    assert JsonNumber(1.5) < 2
    assert JsonNumber(1.0) != 1


def test_maps_of_any_keys_are_shown_as_json() -> None:
    (value,) = EdnReader("{{:a 1} 2, [1 2] 3, 4 5}")

    assert json.loads(json_text(value)) == {'{"a":1}': 2, "[1,2]": 3, "4": 5}
    assert hash(freeze(value)) == hash(freeze(value))
