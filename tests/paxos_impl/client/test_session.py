"""A session finds who can do what it wants, however slow they are, and says why it could not."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import anyio
import pytest
import trio
import trio.testing
from anyio.abc import AnyByteStream
from anyio.streams.stapled import StapledObjectStream

from ostrakon.paxos_impl.client.connection import Connections
from ostrakon.paxos_impl.client.session import NotDone, Session, Unsure
from ostrakon.paxos_impl.wire.decree import Response, framed
from ostrakon.paxos_impl.wire.frame import FRAME_MAX, FrameReader
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import (
    Answer,
    Done,
    Elsewhere,
    Execute,
    OpenSession,
    Read,
    Refused,
    read_incoming,
    read_response,
)
from ostrakon.paxos_impl.wire.transport import Transport

ANNE, BOB = Address("anne", 1), Address("bob", 1)
ATTEMPT_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Switchboard(Transport):
    """Connections in memory to replicas that always give the same answer, after so many seconds."""

    nursery: trio.Nursery
    replicas: Mapping[Address, tuple[float, Answer]]
    opened: list[str]
    """Names of the sessions that were opened."""

    async def connect(self, address: Address) -> AnyByteStream:
        asking, asked = anyio.create_memory_object_stream[bytes](math.inf)
        answering, answered = anyio.create_memory_object_stream[bytes](math.inf)
        theirs = StapledObjectStream(answering, asked)
        self.nursery.start_soon(self._serve, theirs, *self.replicas[address])
        return StapledObjectStream(asking, answered)

    async def _serve(self, stream: AnyByteStream, delay_s: float, answer: Answer) -> None:
        reader = FrameReader()
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):  # It was hung up on.
            async with stream:
                while True:
                    for body in reader.feed(await stream.receive()):
                        asked = read_incoming(body)
                        if isinstance(asked, OpenSession):
                            self.opened.append(asked.name)
                            await stream.send(framed(Response(asked.request, Done(1, asked.name))))
                            continue
                        assert isinstance(asked, Execute | Read)
                        await trio.sleep(delay_s)
                        await stream.send(framed(Response(asked.request, answer)))


@asynccontextmanager
async def session_with(
    replicas: Mapping[Address, tuple[float, Answer]], opened: list[str] | None = None
) -> AsyncIterator[Session]:
    async with trio.open_nursery() as nursery:
        switchboard = Switchboard(nursery=nursery, replicas=replicas, opened=[] if opened is None else opened)
        session = Session(
            list(replicas),
            "s",
            group=None,
            attempt_s=ATTEMPT_S,
            channels=Connections(read_response, switchboard),
        )
        yield session
        await session.drop()
        nursery.cancel_scope.cancel()


async def test_a_leader_that_is_slower_than_was_thought_is_heard_out_in_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    slow: dict[Address, tuple[float, Answer]] = {
        ANNE: (3 * ATTEMPT_S, Done(7, "done")),
        BOB: (0.0, Elsewhere(ANNE, maybe=False)),
    }

    async with session_with(slow) as session:
        done = await session.execute(["put", "k", 1], timeout_s=2.0)

    assert done == Done(7, "done")


async def test_what_was_learned_of_slowness_counts_for_the_next_operation_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    slow: dict[Address, tuple[float, Answer]] = {ANNE: (1.5 * ATTEMPT_S, Done(7, "done"))}

    async with session_with(slow) as session:
        took_s = []
        for _ in range(3):
            begun_s = trio.current_time()
            await session.read(["get", "k"], how="lease", timeout_s=2.0)
            took_s.append(trio.current_time() - begun_s)

    assert took_s[0] > 2.5 * ATTEMPT_S, "vacuous: the first attempt was long enough"
    assert min(took_s[1:]) == pytest.approx(1.5 * ATTEMPT_S)


async def test_who_is_silent_is_not_waited_for_longer_and_longer_without_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with session_with({ANNE: (1e9, Done(1, None)), BOB: (1e9, Done(1, None))}) as session:
        with pytest.raises(Unsure, match=r"(anne|bob):1 did not answer within 0.4 s"):
            await session.execute(["put", "k", 1], timeout_s=20.0)


async def test_that_a_leader_was_named_but_not_reached_is_not_called_having_no_leader(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stray = {ANNE: (0.0, Elsewhere(BOB, maybe=False)), BOB: (0.0, Elsewhere(ANNE, maybe=False))}

    async with session_with(stray) as session:
        with pytest.raises(NotDone, match="was said to lead"):
            await session.execute(["put", "k", 1], timeout_s=1.0)


async def test_without_a_leader_nothing_was_done_for_sure(autojump_clock: trio.testing.MockClock) -> None:
    async with session_with({ANNE: (0.0, Elsewhere(None, maybe=False))}) as session:
        with pytest.raises(NotDone, match="there was no leader"):
            await session.execute(["put", "k", 1], timeout_s=1.0)


async def test_a_refusal_after_an_attempt_without_an_answer_says_both(
    autojump_clock: trio.testing.MockClock,
) -> None:
    refused = Refused("it is too long", is_final=True)
    async with session_with({ANNE: (1e9, Done(1, None)), BOB: (0.0, refused)}) as session:
        with pytest.raises(Unsure, match=r"refused .it is too long., but an earlier one got no answer"):
            await session.execute(["put", "k", 1], timeout_s=5.0)


async def test_a_refusal_of_the_first_attempt_means_not_done(autojump_clock: trio.testing.MockClock) -> None:
    async with session_with({ANNE: (0.0, Refused("it is too long", is_final=True))}) as session:
        with pytest.raises(NotDone, match=r"^it is too long$"):
            await session.execute(["put", "k", 1], timeout_s=5.0)


async def test_a_forgotten_session_leaves_the_outcome_open_and_the_next_command_opens_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    forgotten = Refused("the session is forgotten", is_final=True, is_unsure=True)
    opened: list[str] = []
    async with session_with({ANNE: (0.0, forgotten)}, opened) as session:
        for _ in range(2):
            with pytest.raises(Unsure, match="forgotten"):
                await session.execute(["put", "k", 1], timeout_s=5.0)

    assert opened == ["s.1", "s.2"]


@pytest.mark.parametrize("value", ["v" * (FRAME_MAX + 1), object(), 2**70])
async def test_what_can_not_be_sent_is_not_done(
    autojump_clock: trio.testing.MockClock, value: object
) -> None:
    async with session_with({ANNE: (0.0, Done(1, None))}) as session:
        with trio.fail_after(0.5), pytest.raises(NotDone):
            await session.execute(["put", "k", value], timeout_s=5.0)


async def test_what_was_never_sent_is_not_done(autojump_clock: trio.testing.MockClock) -> None:
    """The time is over when the connection is made, before anything was written to it."""
    async with session_with({ANNE: (0.0, Done(1, None))}) as session:
        await session.execute(["put", "k", 1], timeout_s=5.0)
        with pytest.raises(NotDone):
            await session.execute(["put", "k", 2], timeout_s=0.0)
