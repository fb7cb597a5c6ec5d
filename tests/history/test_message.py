from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history.message import (
    TEXT_MAX,
    Message,
    described,
    preview,
    read_messages,
    write_messages,
)

MESSAGES = st.builds(
    Message,
    st.text(max_size=5),
    st.text(max_size=5),
    st.integers(0, 2**60),
    st.none() | st.integers(0, 2**60),
    st.none() | st.integers(0, 10**6),
    st.text(max_size=20),
)


@given(st.lists(MESSAGES, max_size=8))
def test_messages_are_read_as_they_were_written_in_order_of_sending(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Message]
) -> None:
    path = tmp_path_factory.getbasetemp() / "messages.jsonl"

    write_messages(path, messages)

    assert read_messages(path) == tuple(sorted(messages, key=lambda message: message.sent))


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"write 1\n", "write 1"),
        ("é\r\nok".encode(), "é ok"),
        (b'{"do": "append", "term": 3, "log": [1, null]}', "do=append term=3 log=[1,null]"),
        (b'{"do": "app', '{"do": "app'),
        (b'{"a": "\\u0000"}', 'a="\\u0000"'),
        (b"{}", "{}"),
        (b"\x00\x00\x00\x02ok", "00000002 6f6b"),
        (bytes(range(20)), "00010203 04050607…"),
        (b"\x93\xadClientPropose\x00no\x00", "93ad436c 69656e74… 'ClientPropose'"),
        (b"", ""),
        (b"\n", "0a"),
    ],
)
def test_bytes_are_shown_as_text_if_they_are_text_and_else_in_hex(payload: bytes, shown: str) -> None:
    assert preview(payload) == shown


@given(st.binary(max_size=2_000))
def test_a_preview_is_short_and_printable(payload: bytes) -> None:
    shown = preview(payload)

    assert len(shown) <= TEXT_MAX
    assert shown.replace("…", "").isprintable()


def test_what_a_describe_function_cannot_decode_is_shown_as_bytes(tmp_path: Path) -> None:
    def describe(payload: bytes) -> str:
        return f"vote {payload.decode('ascii')}"

    assert described(b"3", describe) == "vote 3"
    assert described(b"\xff\x00", describe) == "ff00"
