"""Messages of replicas: read as what was sent, or refused as no message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Command, Compaction, Entry, Member
from ostrakon.paxos_impl.core.multi.acceptor import LAG_MAX, VOTES_AHEAD_MAX
from ostrakon.paxos_impl.core.multi.catch_up import TOLD_MAX
from ostrakon.paxos_impl.core.multi.leader import BATCH_BYTES_MAX
from ostrakon.paxos_impl.core.multi.message import (
    Accepted,
    Ask,
    Chunk,
    Fetch,
    Heartbeat,
    HeartbeatResponse,
    Message,
    Nack,
    Offer,
    Prepare,
    PreVote,
    PreVoteResponse,
    Promise,
    Propose,
    Tell,
)
from ostrakon.paxos_impl.core.multi.snapshot import SnapshotId
from ostrakon.paxos_impl.server.replica_config import COMMAND_BYTES_LIMIT
from ostrakon.paxos_impl.wire.decree import Envelope, framed
from ostrakon.paxos_impl.wire.frame import FRAME_MAX, PEER_FRAME_MAX, BadFrame, FrameReader
from ostrakon.paxos_impl.wire.replica import (
    AskStatus,
    Change,
    Execute,
    InGroup,
    OpenSession,
    Read,
    read_incoming,
)

numbers = st.integers(0, 2**63)
ballots = st.builds(Ballot, numbers, numbers)
ops = st.lists(st.text(max_size=3) | st.integers(-9, 9), max_size=3)
batches = st.lists(st.builds(Command, st.text(max_size=3), numbers, ops), max_size=3).map(tuple)
entries = st.lists(st.builds(Entry, numbers, ballots, batches), max_size=3).map(tuple)
snapshots = st.builds(SnapshotId, numbers, st.text(max_size=3), numbers)
messages = st.one_of(
    st.builds(Prepare, ballots, numbers),
    st.builds(Promise, ballots, numbers, entries),
    st.builds(Propose, ballots, numbers, batches),
    st.builds(Accepted, ballots, numbers),
    st.builds(Nack, ballots, ballots),
    st.builds(Heartbeat, ballots, numbers, numbers),
    st.builds(HeartbeatResponse, ballots, numbers, numbers),
    st.builds(Ask, numbers),
    st.builds(Tell, entries, numbers),
    st.builds(Offer, snapshots),
    st.builds(Fetch, snapshots, numbers),
    st.builds(Chunk, snapshots, numbers, st.binary(max_size=9), numbers),
    st.builds(PreVote, numbers),
    st.builds(PreVoteResponse, numbers),
)


def received(message: object) -> object:
    [body] = FrameReader().feed(framed(message))
    return read_incoming(body)


@given(messages)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    envelope = Envelope("n1.0.1", message, 2**63, 7)

    assert received(envelope) == envelope


@given(st.binary(max_size=60))
def test_whatever_bytes_arrive_they_are_a_message_or_a_bad_frame(body: bytes) -> None:
    try:
        incoming = read_incoming(body)
    except BadFrame:
        return
    assert received(incoming) == incoming


@pytest.mark.parametrize(
    "request_",
    [
        Execute(1, "c", 1, ["put", "x", None]),
        OpenSession(2, "c"),
        Read(2, ["get", "x"]),
        Change(3, (Member(1, "127.0.0.1:1"), Member(2, "127.0.0.1:2", votes=False))),
        InGroup(7, Execute(1, "c", 1, ["put", "x", None])),
        InGroup(0, AskStatus(1)),
    ],
)
def test_a_request_arrives_as_it_was_sent(request_: object) -> None:
    assert received(request_) == request_


@pytest.mark.parametrize(("kind", "slots"), [(Promise, LAG_MAX + VOTES_AHEAD_MAX), (Tell, TOLD_MAX)])
def test_the_longest_report_fits_in_a_frame(kind: type, slots: int) -> None:
    size = max(BATCH_BYTES_MAX, COMMAND_BYTES_LIMIT)
    ballot = Ballot(2**40, 99)
    batch = (Command("c" * 32, 2**40, ""),)
    entries = tuple(Entry(2**40 + slot, ballot, batch) for slot in range(slots))
    message = Promise(ballot, 2**40, entries) if kind is Promise else Tell(entries, 2**40)

    without_commands = len(framed(Envelope("n99.9999.999999", message, 2**64 - 1, 99)))
    assert without_commands + slots * size < PEER_FRAME_MAX


def test_a_piece_of_a_snapshot_fits_in_a_frame() -> None:
    id = SnapshotId(2**40, "d" * 32, 2**40)
    chunk = Chunk(id, 2**40, b"x" * Compaction().chunk_bytes, 2**32 - 1)

    assert len(framed(Envelope("n99.9999.999999", chunk, 2**64 - 1, 99))) < FRAME_MAX
