"""A system small enough to see through: one node, which answers each line with `ok`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from ostrakon.checkers.run.evidence import evidence
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.generator import OpRequest, limit, repeat, stagger
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.plan import Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.workload import Client, Site, Workload

PORT = 4000


async def answer(site: Site) -> None:
    """Say ok to everything."""

    async def handle(stream: trio.SocketStream) -> None:
        async for _ in stream:
            await stream.send_all(b"ok\n")

    await trio.serve_tcp(handle, PORT)


class Asker:
    """Asks, and believes the answer."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def apply(self, op: Op) -> Op:
        """Ok, if an answer came."""
        await self._stream.send_all(b"?\n")
        if not await self._stream.receive_some():
            raise EOFError("it hung up")
        return op.ok()


@asynccontextmanager
async def connect(site: Site, process: int) -> AsyncIterator[Client]:
    """A connection to the first node."""
    async with await trio.open_tcp_stream(site.nodes[0], PORT) as stream:
        yield Asker(stream)


def toy(
    program: Callable[[Site], Awaitable[None]] = answer,
    *,
    check: Callable[[Plan, History, Trace], Verdict] | None = None,
    asker: Any = connect,
    timeout_s: float = 1.0,
) -> Workload:
    """The workload of all this."""
    return Workload(
        name="toy",
        program=program,
        connect=asker,
        generator=lambda plan, rng: limit(20, stagger(1 / plan.rate, repeat(OpRequest("ask")), rng=rng)),
        check=check or (lambda plan, history, trace: evidence(history)),
        timeout_s=timeout_s,
    )


def plan(workload: Workload, **fields: Any) -> Plan:
    """A plan of a single node."""
    return plan_for(workload, **{"seed": 1, "nodes": 1, "concurrency": 2, "time_limit_s": 2.0, **fields})
