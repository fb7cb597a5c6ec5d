"""The reader of EDN held to the grammar of the notation, and to another reader.

Texts are drawn from the grammar together with the value that they stand for, so the grammar is one oracle,
and edn_format the other. Discarded forms, comments and commas stand wherever they may.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.history.edn import EdnReader
from ostrakon.harness.history.value import freeze

edn_format = pytest.importorskip("edn_format", reason="the other reader is not installed")

Form = tuple[str, Any]
"""A text, and the value that it stands for here."""

NAMES = st.from_regex(r"[a-z][a-z0-9*+!_?<>=.\-]{0,3}(/[a-z][a-z0-9\-]{0,2})?", fullmatch=True)
ESCAPED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
CHARACTERS = {
    "newline": "\n",
    "return": "\r",
    "space": " ",
    "tab": "\t",
    "a": "a",
    "Z": "Z",
    "7": "7",
    "u0041": "A",
}


def _string(text: str) -> Form:
    return '"' + "".join(ESCAPED.get(char, char) for char in text) + '"', text


def _symbol(name: str) -> Form:
    return name, {"nil": None, "true": True, "false": False}.get(name, name)


scalars: st.SearchStrategy[Form] = st.one_of(
    st.sampled_from([("nil", None), ("true", True), ("false", False)]),
    st.integers(-(10**20), 10**20).map(lambda number: (str(number), number)),
    st.integers(0, 99).map(lambda number: (f"+{number}", number)),
    st.integers(-99, 99).map(lambda number: (f"{number}N", number)),
    st.tuples(st.integers(-99, 99), st.integers(0, 99)).map(
        lambda n: (f"{n[0]}.{n[1]}", float(f"{n[0]}.{n[1]}"))
    ),
    st.tuples(st.integers(1, 9), st.integers(-9, 9)).map(
        lambda n: (f"{n[0]}.5e{n[1]}", float(f"{n[0]}.5e{n[1]}"))
    ),
    st.integers(0, 99).map(lambda number: (f"{number}.25M", number + 0.25)),
    NAMES.map(_symbol),
    NAMES.map(lambda name: (f":{name}", name)),
    st.text(st.sampled_from(' a;#"\\\n\t{}[]()é'), max_size=5).map(_string),
    st.sampled_from(sorted(CHARACTERS)).map(lambda name: (f"\\{name}", CHARACTERS[name])),
)
blanks = st.sampled_from([" ", "  ", "\n", ",", " , ", " ;note ] }\n"])


@st.composite
def ignored(draw: st.DrawFn, inner: st.SearchStrategy[Form]) -> str:
    """Forms that do not count: each `#_` discards one of those that follow."""
    times = draw(st.sampled_from([0, 0, 0, 1, 2]))
    marks = "".join("#_" + draw(blanks) for _ in range(times))
    return marks + "".join(draw(inner)[0] + draw(blanks) for _ in range(times))


@st.composite
def sequences(draw: st.DrawFn, forms: list[Form], inner: st.SearchStrategy[Form]) -> str:
    """These forms one after the other, with others that do not count among them."""
    parts = [draw(ignored(inner)) + text + draw(blanks) for text, _ in forms]
    return "".join(parts) + draw(ignored(inner))


keys: st.SearchStrategy[Form] = st.recursive(
    # Python takes 1 for true and 1.0, and so does the other reader: keys have no such parts.
    st.integers(0, 9).map(lambda number: (str(number), number)) | NAMES.map(lambda name: (f":{name}", name)),
    lambda inner: (
        inner.map(lambda form: (f"[{form[0]}]", [form[1]]))
        | inner.map(lambda form: (f"{{:k {form[0]}}}", {"k": form[1]}))
    ),
    max_leaves=2,
)


@st.composite
def collections(draw: st.DrawFn, inner: st.SearchStrategy[Form]) -> Form:
    """A vector, list, map, set or tagged form of such forms."""
    kind = draw(st.sampled_from(["[]", "()", "{}", "#{}", "#my/tag"]))
    if kind == "#my/tag":
        form = draw(inner)
        return f"#my/tag {draw(ignored(inner))}{form[0]}", form[1]
    if kind in ("{}", "#{}"):
        unique = draw(st.lists(keys, max_size=3, unique_by=lambda form: freeze(form[1])))
        if kind == "#{}":
            return f"#{{{draw(sequences(unique, inner))}}}", [value for _, value in unique]
        pairs = [(key, draw(inner)) for key in unique]
        text = draw(sequences([form for pair in pairs for form in pair], inner))
        return f"{{{text}}}", {_key(key): value for (_, key), (_, value) in pairs}
    forms = draw(st.lists(inner, max_size=3))
    return f"{kind[0]}{draw(sequences(forms, inner))}{kind[1]}", [value for _, value in forms]


def _key(value: Any) -> Any:
    return value if type(value) is str or type(value) is int else freeze(value)


forms = st.recursive(scalars, collections, max_leaves=8)


def plain(value: Any) -> Any:
    """What the other reader gives, as ours does: names without marks, lists in the order of the text."""
    if isinstance(value, edn_format.Keyword | edn_format.Symbol):
        return value.name if hasattr(value, "name") else str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, frozenset | set):
        return comparable([plain(each) for each in value])
    if isinstance(value, str | bytes):
        return value
    if hasattr(value, "items"):
        return {_key(plain(key)): plain(each) for key, each in value.items()}
    if hasattr(value, "__iter__"):
        return [plain(each) for each in value]
    return value


def comparable(elements: list[Any]) -> list[Any]:
    """The elements of a set in an order of their own."""
    return sorted(elements, key=lambda each: repr(freeze(each)))


def read(text: str) -> Any:
    (value,) = EdnReader(f"[{text}]")
    return value


@given(forms.flatmap(lambda form: ignored(scalars).map(lambda before: (before + form[0], form[1]))))
@settings(max_examples=500, deadline=None)
def test_a_text_is_read_as_the_grammar_and_another_reader_say(form: Form) -> None:
    text, value = form
    edn_format.add_tag("my/tag", lambda tagged: tagged)

    ours = freeze(read(text))

    assert _sets_apart(ours) == _sets_apart(freeze(value))
    assert _sets_apart(ours) == _sets_apart(freeze(plain(edn_format.loads(text))))


def _sets_apart(value: Any) -> Any:
    """Lists as they are but for their order: sets are read as lists, in an order that EDN leaves open."""
    if isinstance(value, tuple):
        return tuple(sorted(map(_sets_apart, value), key=repr))
    if hasattr(value, "items"):
        return {repr(_sets_apart(key)): _sets_apart(each) for key, each in value.items()}
    return value


@given(st.lists(scalars, min_size=1, max_size=6))
def test_the_order_of_a_vector_is_that_of_the_text(forms: list[Form]) -> None:
    assert freeze(read(f"[{' '.join(text for text, _ in forms)}]")) == freeze([value for _, value in forms])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1 #_ #_ 3 4 5]", [1, 5]),
        ("#a #_ 1 2", 2),
        ("#_ #_ #_ 1 2 3 4", 4),
        ("{:a #_ #_ :b 2 1}", {"a": 1}),
        ("[#_ #a 1 2]", [2]),
    ],
)
def test_each_mark_discards_one_form(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize("text", ["[1 #_]", "#_", "#_ #_ 1", "#a #_ 1", "\\newlin"])
def test_a_mark_without_a_form_is_damage(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected"):
        read(text)
