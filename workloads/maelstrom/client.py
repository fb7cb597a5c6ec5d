"""A Maelstrom client: it asks one node, and waits for the answer to its request from whatever node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from ostrakon.harness.history import Op
from ostrakon.harness.workload import Client, Connect, Refused, Site
from ostrakon.workloads.maelstrom.hub import Hub, Mailbox
from ostrakon.workloads.maelstrom.message import ERRORS, Body, Message, is_definite

BodyOf = Callable[[Op], Body]
"""The body that asks for an op."""
ValueOf = Callable[[Op, Body], Any]
"""The op's value, by the body that answers it. May raise Misanswered."""
First = Callable[[Site], Body]
"""The request that a client makes before all others."""
Absent = Mapping[int, Callable[[Op], Any]]
"""By code, the value of a `read` that is answered with an error which tells something."""


class Failed(Exception):
    """A node answered with an error of this `code`."""

    def __init__(self, code: Any, text: str) -> None:
        super().__init__(f"error {code}, {ERRORS.get(code, 'an unknown one')}: {text}")
        self.code = code


class Misanswered(Exception):
    """An answer is not what the protocol has for such a request."""


def told(body: Body, kind: str, field: str | None = None) -> Any:
    """A field of an answer that must be of this type. Raises: Misanswered."""
    if body.get("type") != kind:
        raise Misanswered(f"expected an answer of type {kind!r}, got one of type {body.get('type')!r}")
    if field is not None and field not in body:
        raise Misanswered(f"expected an answer of type {kind!r} with a field {field!r}, got {sorted(body)}")
    return body[field] if field is not None else None


class MaelstromClient:
    """One client of one node."""

    def __init__(self, hub: Hub, name: str, mailbox: Mailbox) -> None:
        self.node = mailbox.node
        self._hub, self._name, self._mailbox = hub, name, mailbox
        self._asked = 0

    async def rpc(self, body: Body) -> Body:
        """Ask and wait for the answer.

        Raises: Failed, for an error; Unavailable, if the node does not listen; EOFError, if its connection
        ends before the answer.
        """
        self._asked += 1
        self._hub.send(Message(self._name, self.node, {**body, "msg_id": self._asked}))
        async for answer in self._mailbox.bodies:
            if answer.get("in_reply_to") == self._asked:
                if answer.get("type") == "error":
                    raise Failed(answer.get("code"), str(answer.get("text", "")))
                return answer
        raise EOFError("the connection ended before the answer")


@asynccontextmanager
async def connected(site: Site, process: int) -> AsyncIterator[MaelstromClient]:
    """A client of one of the nodes, which processes get in turn. Raises: OSError, if it does not listen."""
    hub: Hub = site.shared
    # c0 is the client that sends init.
    name, node = f"c{process + 1}", site.nodes[process % len(site.nodes)]
    if not hub.is_ready(node):
        raise ConnectionRefusedError(f"{node} is not ready")
    with hub.mailbox(name, node) as mailbox:
        yield MaelstromClient(hub, name, mailbox)


async def completed(op: Op, node: str, value: Awaitable[Any]) -> Op:
    """The op with the value that is awaited, or as the error of the node has it end.

    Raises: Refused, if it definitely did not happen; whatever `rpc` raises but Failed.
    """
    try:
        return op.ok(await value, node=node)
    except Failed as failed:
        if is_definite(failed.code):
            raise Refused(str(failed)) from failed
        return replace(op, type="info", error=str(failed), node=node)
    except Misanswered as wrong:
        return replace(op, type="info", error=str(wrong), node=node)


class _Apply:
    """Performs ops of one request each."""

    def __init__(self, client: MaelstromClient, ask: BodyOf, answer: ValueOf, absent: Absent) -> None:
        self._client, self._ask, self._answer, self._absent = client, ask, answer, absent

    async def apply(self, op: Op) -> Op:
        return await completed(op, self._client.node, self._value(op))

    async def _value(self, op: Op) -> Any:
        try:
            answer = await self._client.rpc(self._ask(op))
        except Failed as failed:
            if op.f == "read" and failed.code in self._absent:
                return self._absent[failed.code](op)
            raise
        return self._answer(op, answer)


def asking(
    ask: BodyOf, answer: ValueOf, *, first: First | None = None, absent: Absent | None = None
) -> Connect:
    """Clients that make one request for each op, and the request `first` before all others."""

    @asynccontextmanager
    async def connect(site: Site, process: int) -> AsyncIterator[Client]:
        async with connected(site, process) as client:
            if first is not None:
                try:
                    await client.rpc(first(site))
                except Failed as failed:
                    raise Refused(str(failed)) from failed
            yield _Apply(client, ask, answer, absent or {})

    return connect
