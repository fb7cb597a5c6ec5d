from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.workloads.maelstrom.bridge import LinesOf
from ostrakon.workloads.maelstrom.message import (
    BadMessage,
    Message,
    decode,
    encode,
    in_words,
    is_definite,
    route,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


NAMES = st.sampled_from(["n1", "n2", "c1", "c7", "lin-kv", "seq-kv", "nobody"])


@given(st.builds(Message, st.text(), st.text(), st.dictionaries(st.text(), JSON, max_size=4)))
def test_a_message_is_read_as_it_was_written_on_one_line(message: Message) -> None:
    line = encode(message)

    assert decode(line) == message
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("line", [b"", b"hello", b"[]", b'{"src": "n1", "body": {}}', b"\xff\xfe"])
def test_a_line_that_is_no_message_is_quoted(line: bytes) -> None:
    with pytest.raises(BadMessage, match="is no message"):
        decode(line)


def test_only_a_timeout_a_crash_and_what_nobody_knows_leave_open_whether_it_happened() -> None:
    assert [code for code in range(40) if is_definite(code)] == [1, 10, 11, 12, 14, 20, 21, 22, 30]
    assert not is_definite("twenty")


@given(NAMES, NAMES, NAMES)
def test_a_message_is_routed_by_dest_alone_whoever_it_says_it_is_from(
    src: str, other: str, dest: str
) -> None:
    nodes, services = ("n1", "n2"), ("lin-kv", "seq-kv")

    found = route(Message(src, dest, {}), nodes, services)

    assert found == route(Message(other, dest, {}), nodes, services)
    assert found == ("node" if dest in nodes else "service" if dest in services else "client")


async def test_lines_are_whole_however_they_come_in() -> None:
    sender, receiver = trio.testing.memory_stream_pair()
    for chunk in (b"on", b"e\ntwo\n\nth", b"ree\n"):
        await sender.send_all(chunk)
    await sender.send_eof()

    assert [line async for line in LinesOf(receiver)] == [b"one", b"two", b"three"]


def test_diagrams_show_a_message_by_its_type_and_what_it_says() -> None:
    asked = Message("c1", "n1", {"type": "cas", "key": 1, "from": None, "to": "x", "msg_id": 7})

    assert in_words(encode(asked)) == 'cas key=1 from=null to="x"'
    assert in_words(encode(Message("n1", "c1", {"type": "cas_ok", "in_reply_to": 7}))) == "cas_ok"


def test_diagrams_say_which_service_is_asked() -> None:
    asked = Message("n1", "lin-kv", {"type": "read", "key": 1, "msg_id": 7})
    answered = Message("lin-kv", "n1", {"type": "read_ok", "value": 2, "in_reply_to": 7})

    assert [in_words(encode(asked)), in_words(encode(answered))] == [
        "lin-kv: read key=1",
        "lin-kv: read_ok value=2",
    ]
