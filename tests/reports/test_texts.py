from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.reports import texts


@pytest.mark.parametrize(
    ("length_ns", "said"),
    [
        (0, "0 s"),
        (999, "999 ns"),
        (1_500, "1.5 µs"),
        (12_345_678, "12.3 ms"),
        (1_000_000_000, "1 s"),
        (5_400_000_000_000, "5,400 s"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_suits_it(length_ns: int, said: str) -> None:
    assert texts.duration(length_ns) == said


def test_an_instant_is_exact_to_the_microsecond() -> None:
    assert texts.instant(1_234_567_890) == "1.234568"


def test_a_long_value_is_cut_and_its_length_told() -> None:
    assert texts.value("a" * 5_000, limit=10) == '"aaaaaaaaa… (5,002 characters)'


def test_falsy_values_are_told_apart() -> None:
    falsy: tuple[object, ...] = (None, False, 0, "", [], {})

    assert [texts.value(what) for what in falsy] == [
        "null",
        "false",
        "0",
        '""',
        "[]",
        "{}",
    ]


@pytest.mark.parametrize("hidden", ["\x00", "\x1b[31m", "\u202e", "\u200b", "\ud800", "\u2028"])
def test_what_could_not_be_seen_is_spelled_out(hidden: str) -> None:
    said = texts.sentence(f"a{hidden}b")

    assert hidden[0] not in said
    assert said.startswith("a\\u")


def test_other_scripts_and_emoji_are_left_as_they_are() -> None:
    text = "ὄστρακον 陶片 👩\u200d🚀 é"

    assert texts.sentence(text) == text


@given(st.text(), st.integers(1, 60))
def test_a_short_text_is_never_longer_than_asked_unless_something_had_to_be_spelled_out(
    text: str, limit: int
) -> None:
    plain = "".join(char for char in text if char.isprintable() and char.isascii())

    assert len(texts.short(plain, limit)) <= max(2, limit)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_value_can_be_shown_and_written_as_utf8(what: object) -> None:
    assert texts.value(what).encode()
