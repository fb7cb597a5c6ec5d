"""For systems that answer a line with a line, all that a chaos test needs: a client, and reads and writes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import trio
from msgspec.structs import replace

from ostrakon.harness.generator import Generator, OpRequest, mix, numbered, repeat, stagger
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client, Connect, Site

LINE_MAX = 1 << 20
"""Bytes of a line; longer ones are taken for a broken connection."""


def lines_to(port: int, *, ask: Callable[[Op], str], answer: Callable[[str], Any]) -> Connect:
    """Connects each process to one of the nodes in turn, at this port.

    `ask` makes the line that an invoked op is asked by, `answer` the op's value of the line that comes
    back; both without the newline. An `answer` that raises Refused says that the op did not happen.
    """

    def connect(site: Site, process: int) -> AbstractAsyncContextManager[Client]:
        return _connected(site.nodes[process % len(site.nodes)], port, ask, answer)

    return connect


def reads_and_writes(plan: Plan, rng: random.Random) -> Generator:
    """Ops `read` and `write`, half and half at the plan's rate; each write writes another number, from 0."""
    ops = mix(repeat(OpRequest("read")), numbered(lambda number: OpRequest("write", number)), rng=rng)
    return stagger(1 / plan.rate, ops, rng=rng)


@asynccontextmanager
async def _connected(
    node: str, port: int, ask: Callable[[Op], str], answer: Callable[[str], Any]
) -> AsyncIterator[Client]:
    async with await trio.open_tcp_stream(node, port) as stream:
        yield _LineClient(node, stream, ask, answer)


class _LineClient:
    """Sends a line, waits for one."""

    def __init__(
        self, node: str, stream: trio.SocketStream, ask: Callable[[Op], str], answer: Callable[[str], Any]
    ) -> None:
        self._node, self._stream, self._ask, self._answer = node, stream, ask, answer
        self._received = b""

    async def apply(self, op: Op) -> Op:
        """Raises: EOFError, when the connection is closed; Refused, when the answer says so."""
        await self._stream.send_all(self._ask(op).encode() + b"\n")
        return replace(op, type="ok", value=self._answer(await self._line()), node=self._node)

    async def _line(self) -> str:
        while b"\n" not in self._received:
            chunk = await self._stream.receive_some()
            if not chunk or len(self._received) > LINE_MAX:
                raise EOFError("it hung up" if not chunk else f"a line of more than {LINE_MAX} bytes")
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()
