"""EDN is read as plain data, and damage is told by its line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history.edn import DamagedEdn, EdnReader


def read(text: str) -> list[object]:
    return list(EdnReader(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("-12", -12),
        ("7N", 7),
        ("1.5e3", 1500.0),
        ("2.50M", 2.5),
        (":key", "key"),
        (":ns/key", "ns/key"),
        ("sym-bol?", "sym-bol?"),
        (r'"a \"b\" \n \u0041"', 'a "b" \n A'),
        (r"\a", "a"),
        ("{:a 1, 2 [3]}", {"a": 1, 2: [3]}),
        ("{[1 2] 3}", {(1, 2): 3}),
        ('{"" #{2 1}}', {"": [1, 2]}),
        ("{:at #inst \"1985-04-12\"}", {"at": "1985-04-12"}),
        ("#jepsen.history.Op{:f :read}", {"f": "read"}),
        ("{:a [##Inf ##-Inf]}", {"a": [float("inf"), float("-inf")]}),
        ("{:a (1 #_ 2 #_[3] ; not 4\n 5)}", {"a": [1, 5]}),
    ],
)  # fmt: skip
def test_a_form_is_read_as_the_value_it_stands_for(text: str, value: object) -> None:
    assert read(text) == [value]


def test_the_elements_of_one_list_are_meant_or_what_stands_one_after_another() -> None:
    assert (
        read("[{:a 1}\n {:a 2}]")
        == read("({:a 1} {:a 2})")
        == read("{:a 1}\n{:a 2}\n")
        == [{"a": 1}, {"a": 2}]
    )
    assert read("") == read("; nothing\n") == read("[]") == []


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[{:a 1}\n {:a", 2, "breaks off: expected `}`"),
        ("[{:a 1}\n", 1, "breaks off: expected `]`"),
        ("{:a 1}\n{:b}", 2, "a map needs a value for each key, and 'b' has none"),
        ("{:a 1}\n\n)", 3, r"expected a value, found `\)`"),
        ('{:a "never ends}', 1, 'expected a value, found `"`'),
    ],
)
def test_damage_is_told_with_its_line_and_what_was_expected(text: str, line: int, why: str) -> None:
    with pytest.raises(DamagedEdn, match=why) as caught:
        read(text)

    assert caught.value.line == line


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text("abc"), inner),
    max_leaves=20,
)


def edn(value: object) -> str:
    match value:
        case None:
            return "nil"
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list():
            return f"[{' '.join(map(edn, value))}]"
        case dict():
            return "{" + ", ".join(f"{edn(key)} {edn(each)}" for key, each in value.items()) + "}"
        case _:
            return str(value)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert read(f"[{edn(value)}]") == [value]


@pytest.mark.parametrize("text", ["\\00", "[1 \\spade]", "{:value \\u12}", "9" * 5000])
def test_an_atom_that_is_none_is_damage_at_its_line(text: str) -> None:
    with pytest.raises(DamagedEdn) as caught:
        read("\n" + text)

    assert str(caught.value)


@given(st.text())
def test_any_text_is_read_or_refused_but_never_worse(text: str) -> None:
    reader = EdnReader(text)
    with suppress(DamagedEdn):
        list(reader)

    assert 1 <= reader.line <= 1 + text.count("\n")
