"""A client, and read and write operations, for systems that answer each line with one line."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import trio

from ostrakon.harness.client import Misbehaved
from ostrakon.harness.generator import Generator, OpRequest, mix, numbered, repeat, stagger
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client, Connect, Site

LINE_MAX = 1 << 20
"""The longest line, in bytes; a longer line counts as a broken connection."""


def lines_to(port: int, *, ask: Callable[[Op], str], answer: Callable[[str], Any]) -> Connect:
    """Makes the `connect` of a workload: client process p connects to node p modulo the number of nodes.

    `ask` returns the request line of an invoked op. `answer` returns the value of the completed op from the
    answer line. Both lines are without the newline. If `answer` raises `Refused`, the op becomes `fail`.

        connect = lines_to(7000, ask=lambda op: f"{op.f} {op.value}", answer=int)
    """

    def connect(site: Site, process: int) -> AbstractAsyncContextManager[Client]:
        return _connected(site.nodes[process % len(site.nodes)], port, ask, answer)

    return connect


def reads_and_writes(plan: Plan, rng: random.Random) -> Generator:
    """Reads and writes in equal parts, at the plan's rate; the writes have the values 0, 1, 2, ..."""
    ops = mix(repeat(OpRequest("read")), numbered(lambda number: OpRequest("write", number)), rng=rng)
    return stagger(1 / plan.rate, ops, rng=rng)


@asynccontextmanager
async def _connected(
    node: str, port: int, ask: Callable[[Op], str], answer: Callable[[str], Any]
) -> AsyncIterator[Client]:
    async with await trio.open_tcp_stream(node, port) as stream:
        yield _LineClient(node, stream, ask, answer)


class _LineClient:
    """Sends one line and waits for the answer line."""

    def __init__(
        self, node: str, stream: trio.SocketStream, ask: Callable[[Op], str], answer: Callable[[str], Any]
    ) -> None:
        self._node, self._stream, self._ask, self._answer = node, stream, ask, answer
        self._received = b""

    async def apply(self, op: Op) -> Op:
        """Send an op and wait for its answer.

        Raises: EOFError, if the connection is closed; Refused, if `answer` does; Misbehaved.
        """
        if not isinstance(line := self._ask(op), str):
            raise Misbehaved(f"`ask` must return the line to send, a str, and returned {line!r}", self._ask)
        await self._stream.send_all(line.encode() + b"\n")
        return op.ok(self._answer(await self._line()), node=self._node)

    async def _line(self) -> str:
        while b"\n" not in self._received:
            chunk = await self._stream.receive_some()
            if not chunk or len(self._received) > LINE_MAX:
                raise EOFError("it hung up" if not chunk else f"a line of more than {LINE_MAX} bytes")
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()
