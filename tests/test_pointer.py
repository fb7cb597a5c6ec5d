from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.pointer import line_of

TEXT = """{
  "seed": 1,
  "faults": [
    {"kind": "kill"},
    {
      "kind": "pause",
      "links": [["n1",
                 "n2"]]
    }
  ]
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$", 1),
        ("$.seed", 2),
        ("seed", 2),
        ("faults", 3),
        ("$.faults[0].kind", 4),
        ("$.faults[1]", 5),
        ("faults[1].links[0][1]", 8),
        ("faults[1].rate", 5),
        ("faults[7]", 3),
        ("seed.deeper", 2),
        ("$.faults[...].kind", 3),
    ],
)
def test_a_path_points_to_the_line_of_its_value_or_of_what_should_hold_it(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line


VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z]\w*", fullmatch=True), inner),
    max_leaves=20,
)


@given(VALUES, st.data())
def test_whatever_is_there_is_found(value: object, data: st.DataObject) -> None:
    text, path, inner = json.dumps(value, indent=1), "$", value
    while isinstance(inner, list | dict) and inner and data.draw(st.booleans()):
        if isinstance(inner, list):
            number = data.draw(st.integers(0, len(inner) - 1))
            path, inner = f"{path}[{number}]", inner[number]
        else:
            name = data.draw(st.sampled_from(sorted(inner)))
            path, inner = f"{path}.{name}", inner[name]

    begins = text.splitlines()[line_of(text, path) - 1]

    first = json.dumps(inner, indent=1).splitlines()[0]
    assert first in begins
