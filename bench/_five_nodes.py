"""Two small systems of five nodes, written for each of the simulators that `peers.py` compares.

A *ring*: each node hands on each line that it receives to the next, with 50 lines in flight. *Quorum writes*:
the first node sends a value to the other four, and the next one when two have answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from ostrakon.harness.sim import Machine

NODES = ("n1", "n2", "n3", "n4", "n5")
NEXT = dict(zip(NODES, NODES[1:] + NODES[:1], strict=True))
IN_FLIGHT = 50
PORT = 4000
SETTLED_S = 0.1
"""When everyone listens."""

Program = Callable[[str], Awaitable[None]]
"""What the node of this name does."""


class Course:
    """How far a run has come: what all nodes of it have done together."""

    def __init__(self, goal: int, finish: Callable[[], object]) -> None:
        self.done, self.goal, self.finish = 0, goal, finish

    def count(self) -> None:
        """One more is done; the run ends when there are enough."""
        self.done += 1
        if self.done == self.goal:
            self.finish()


# The programs on asyncio's streams, as one would write them for the real network.


def asyncio_ring(course: Course) -> Program:
    """Each node hands on each line that it receives to the next; the first one has sent 50 of them."""

    async def node(me: str) -> None:
        async def hand_on(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                course.count()
                writer.write(line)
                await writer.drain()

        await asyncio.start_server(hand_on, me, PORT)
        await asyncio.sleep(SETTLED_S)
        _, writer = await asyncio.open_connection(NEXT[me], PORT)
        await asyncio.sleep(SETTLED_S)
        if me == NODES[0]:
            for number in range(IN_FLIGHT):
                writer.write(b"%07d\n" % number)
                await writer.drain()
        await asyncio.sleep(1e6)

    return node


def asyncio_quorum(course: Course) -> Program:
    """The first node writes to the other four, one value after the other; two answers make a majority."""

    async def node(me: str) -> None:
        async def acknowledge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()

        async def hear(reader: asyncio.StreamReader) -> None:
            while line := await reader.readline():
                heard(int(line))

        def heard(number: int) -> None:
            answers[number] = answers.get(number, 0) + 1
            if answers[number] == 2:
                majority.set()

        await asyncio.start_server(acknowledge, me, PORT)
        await asyncio.sleep(SETTLED_S)
        if me != NODES[0]:
            await asyncio.sleep(1e6)
        streams = [await asyncio.open_connection(peer, PORT) for peer in NODES[1:]]
        hearing = [asyncio.create_task(hear(reader)) for reader, _ in streams]
        answers: dict[int, int] = {}
        number = 0
        while hearing:
            majority = asyncio.Event()
            for _, writer in streams:
                writer.write(b"%07d\n" % number)
                await writer.drain()
            async with asyncio.timeout(5):
                await majority.wait()
            course.count()
            number += 1

    return node


# The same on seedloop's endpoints.


def seedloop_ring(world: Any, course: Course) -> list[Any]:
    """As `asyncio_ring`, in messages."""

    class Node:
        def __init__(self, me: int) -> None:
            self.me, self.endpoint = me, world.net.bind(me)

        async def run(self) -> None:
            if self.me == 0:
                for number in range(IN_FLIGHT):
                    await self.endpoint.send(1, b"%07d\n" % number)
            while True:
                _, line = await self.endpoint.recv()
                course.count()
                await self.endpoint.send((self.me + 1) % len(NODES), line)

    return [Node(number) for number in range(len(NODES))]


def seedloop_quorum(world: Any, course: Course) -> list[Any]:
    """As `asyncio_quorum`, in messages."""

    class Follower:
        def __init__(self, me: int) -> None:
            self.endpoint = world.net.bind(me)

        async def run(self) -> None:
            while True:
                sender, line = await self.endpoint.recv()
                await self.endpoint.send(sender, line)

    class Leader:
        def __init__(self) -> None:
            self.endpoint = world.net.bind(0)

        async def run(self) -> None:
            number = 0
            while True:
                line, answers = b"%07d\n" % number, 0
                for peer in range(1, len(NODES)):
                    await self.endpoint.send(peer, line)
                async with asyncio.timeout(5):
                    while answers < 2:
                        _, answer = await self.endpoint.recv()
                        answers += answer == line
                course.count()
                number += 1

    return [Leader(), *(Follower(number) for number in range(1, len(NODES)))]


# The same on Trio's streams, and on mailboxes.


def trio_ring(course: Course) -> Program:
    """As `asyncio_ring`."""

    async def node(me: str) -> None:
        async def hand_on(stream: trio.SocketStream) -> None:
            async for lines in stream:
                for line in lines.splitlines(keepends=True):
                    course.count()
                    await onward.send_all(line)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, hand_on, PORT)
            await trio.sleep(SETTLED_S)
            onward = await trio.open_tcp_stream(NEXT[me], PORT)
            await trio.sleep(SETTLED_S)
            if me == NODES[0]:
                for number in range(IN_FLIGHT):
                    await onward.send_all(b"%07d\n" % number)

    return node


def trio_quorum(course: Course) -> Program:
    """As `asyncio_quorum`."""

    async def node(me: str) -> None:
        async def acknowledge(stream: trio.SocketStream) -> None:
            async for lines in stream:
                await stream.send_all(lines)

        async def hear(stream: trio.SocketStream) -> None:
            async for lines in stream:
                for line in lines.splitlines():
                    heard(int(line))

        def heard(number: int) -> None:
            answers[number] = answers.get(number, 0) + 1
            if answers[number] == 2:
                majority.set()

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, acknowledge, PORT)
            await trio.sleep(SETTLED_S)
            if me != NODES[0]:
                await trio.sleep_forever()
            streams = [await trio.open_tcp_stream(peer, PORT) for peer in NODES[1:]]
            for stream in streams:
                nursery.start_soon(hear, stream)
            answers: dict[int, int] = {}
            number = 0
            while True:
                majority = trio.Event()
                for stream in streams:
                    await stream.send_all(b"%07d\n" % number)
                with trio.fail_after(5):
                    await majority.wait()
                course.count()
                number += 1

    return node


def mailbox_ring(machine: Machine, course: Course) -> Callable[[], Awaitable[None]]:
    """As `seedloop_ring`."""

    async def node() -> None:
        mailbox, onward = machine.process.mailbox, NEXT[machine.name]  # type: ignore[union-attr]
        if machine.name == NODES[0]:
            for number in range(IN_FLIGHT):
                mailbox.send(onward, b"%07d\n" % number)
        while True:
            _, line = await mailbox.receive()
            course.count()
            mailbox.send(onward, line)

    return node


def mailbox_quorum(machine: Machine, course: Course) -> Callable[[], Awaitable[None]]:
    """As `seedloop_quorum`."""

    async def follow() -> None:
        mailbox = machine.process.mailbox  # type: ignore[union-attr]
        while True:
            sender, line = await mailbox.receive()
            mailbox.send(sender, line)

    async def lead() -> None:
        mailbox = machine.process.mailbox  # type: ignore[union-attr]
        number = 0
        while True:
            line, answers = b"%07d\n" % number, 0
            for peer in NODES[1:]:
                mailbox.send(peer, line)
            with trio.fail_after(5):
                while answers < 2:
                    _, answer = await mailbox.receive()
                    answers += answer == line
            course.count()
            number += 1

    return lead if machine.name == NODES[0] else follow
