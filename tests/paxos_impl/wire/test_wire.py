"""Whatever bytes arrive: they are read as what was sent, or refused as no message."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core import (
    Accepted,
    Ask,
    Ballot,
    Chosen,
    Nack,
    Prepare,
    Promise,
    Propose,
    Refused,
    Tell,
    Unknown,
    Vote,
)
from ostrakon.paxos_impl.wire.decree import (
    ClientGet,
    ClientPropose,
    ClientStatus,
    Envelope,
    Hello,
    Response,
    framed,
    read_incoming,
    read_response,
)
from ostrakon.paxos_impl.wire.frame import FRAME_MAX, BadFrame, FrameReader, frame
from ostrakon.paxos_impl.wire.membership import Address

numbers = st.integers(0, 2**63)
ballots = st.builds(Ballot, numbers, numbers)
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
votes = st.builds(Vote, ballots, values)
messages = st.one_of(
    st.builds(Prepare, ballots, numbers),
    st.builds(Promise, ballots, st.none() | votes, numbers),
    st.builds(Propose, ballots, values, numbers),
    st.builds(Accepted, ballots, values, numbers),
    st.builds(Nack, ballots, ballots, numbers),
    st.builds(Ask, numbers),
    st.builds(Tell, st.none() | votes, st.none() | votes, numbers),
)
incoming = st.one_of(
    st.builds(Envelope, st.text(), messages, numbers, numbers),
    st.builds(Hello, numbers, st.text(), numbers, numbers, numbers),
    st.builds(ClientPropose, numbers, values),
    st.builds(ClientGet, numbers),
    st.builds(ClientStatus, numbers),
)
responses = st.builds(
    Response, numbers, st.builds(Chosen, values, ballots) | st.just(Unknown()) | st.builds(Refused, st.text())
)


def body(message: Any) -> bytes:
    (only,) = FrameReader().feed(framed(message))
    return only


@given(incoming)
def test_a_message_is_read_as_it_was_sent(message: Any) -> None:
    assert read_incoming(body(message)) == message


@given(responses)
def test_a_response_is_read_as_it_was_sent(response: Response[Any]) -> None:
    assert read_response(body(response)) == response


@given(st.lists(st.binary(max_size=40)), st.data())
def test_frames_survive_being_cut_anywhere(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))

    reader = FrameReader()
    read = [
        body
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for body in reader.feed(stream[start:end])
    ]

    assert read == bodies
    assert reader.is_empty


@given(st.binary())
def test_arbitrary_bytes_are_a_message_or_refused(data: bytes) -> None:
    with suppress(BadFrame):
        read_incoming(data)
    with suppress(BadFrame):
        read_response(data)


@given(incoming, st.data())
def test_a_damaged_message_is_a_message_or_refused(message: Any, data: st.DataObject) -> None:
    damaged = bytearray(body(message))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    with suppress(BadFrame):
        read_incoming(bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\xc7\x01\x05x"])
def test_hostile_bytes_are_refused_and_cost_little(data: bytes) -> None:
    with pytest.raises(BadFrame):
        read_incoming(data)


def test_a_length_beyond_the_limit_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(BadFrame, match="at most"):
        FrameReader().feed((FRAME_MAX + 1).to_bytes(4, "big"))
    with pytest.raises(BadFrame, match="longer than"):
        frame(b"x" * (FRAME_MAX + 1))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:7000", Address("localhost", 7000)),
        ("[::1]:7000", Address("::1", 7000)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
    ],
)
def test_addresses_are_read_and_written_alike(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "7000", ":7000", "host:", "host:x", "host:70000", "::1:7000", "host:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|IPv6|port"):
        Address.parse(text)
