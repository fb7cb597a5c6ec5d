"""A Maelstrom client: asks a node, and waits for the answer to just this."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from msgspec.structs import replace

from ostrakon.harness.history import Op
from ostrakon.harness.workload import Client, Connect, Refused, Site
from ostrakon.workloads.maelstrom.bridge import PORT, LinesOf
from ostrakon.workloads.maelstrom.message import ERRORS, Message, decode, encode, is_definite

Body = dict[str, Any]
Ask = Callable[[Op], Body]
"""The body that asks for an op."""
Answer = Callable[[Op, Body], Any]
"""The op's value, by the body that answers it. May raise Refused."""


First = Callable[[Site], Body]
Absent = Mapping[int, Callable[[Op], Any]]
"""By code, the value of a `read` that is answered with an error which tells something."""


class Failed(Exception):
    """The node answered with an error; `code` says which."""

    def __init__(self, code: Any, text: str) -> None:
        super().__init__(f"error {code}, {ERRORS.get(code, 'an unknown one')}: {text}")
        self.code = code


class Misanswered(Exception):
    """An answer is not what the protocol has for such a question."""


def told(body: Body, kind: str, field: str | None = None) -> Any:
    """A field of an answer that must be of this type. Raises: Misanswered."""
    if body.get("type") != kind:
        raise Misanswered(f"an answer of type {kind!r} was due, and {body.get('type')!r} came")
    if field is not None and field not in body:
        raise Misanswered(f"an answer of type {kind!r} has a field {field!r}, and this had {sorted(body)}")
    return body[field] if field is not None else None


class MaelstromClient:
    """One connection to one node."""

    def __init__(self, stream: trio.SocketStream, name: str, node: str) -> None:
        self.node = node
        self._stream, self._name = stream, name
        self._lines = LinesOf(stream)
        self._asked = 0

    async def rpc(self, body: Body) -> Body:
        """Ask and wait. Raises: Failed; EOFError, OSError, trio.BrokenResourceError."""
        self._asked += 1
        asked = {**body, "msg_id": self._asked}
        await self._stream.send_all(encode(Message(self._name, self.node, asked)))
        async for line in self._lines:
            answer = decode(line).body
            if answer.get("in_reply_to") == self._asked:
                if answer.get("type") == "error":
                    raise Failed(answer.get("code"), str(answer.get("text", "")))
                return answer
        raise EOFError("the connection ended before the answer")


class _Apply:
    """Does ops by asking."""

    def __init__(self, client: MaelstromClient, ask: Ask, answer: Answer, absent: Absent) -> None:
        self._client, self._ask, self._answer, self._absent = client, ask, answer, absent

    async def apply(self, op: Op) -> Op:
        node = self._client.node
        try:
            answered = await self._client.rpc(self._ask(op))
        except Failed as failed:
            if op.f == "read" and failed.code in self._absent:
                return replace(op, type="ok", value=self._absent[failed.code](op), node=node)
            if is_definite(failed.code):
                raise Refused(str(failed)) from failed
            return replace(op, type="info", error=str(failed), node=node)
        try:
            return replace(op, type="ok", value=self._answer(op, answered), node=node)
        except Misanswered as wrong:
            return replace(op, type="info", error=str(wrong), node=node)


def asking(ask: Ask, answer: Answer, *, first: First | None = None, absent: Absent | None = None) -> Connect:
    """Connects each process to one of the nodes in turn, where it asks `first` before all else."""

    @asynccontextmanager
    async def connect(site: Site, process: int) -> AsyncIterator[Client]:
        node = site.nodes[process % len(site.nodes)]
        async with await trio.open_tcp_stream(node, PORT) as stream:
            client = MaelstromClient(stream, f"c{process}", node)
            if first is not None:
                await client.rpc(first(site))
            yield _Apply(client, ask, answer, absent or {})

    return connect
