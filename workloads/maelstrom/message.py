"""Messages as Maelstrom has them: `src`, `dest` and a `body` with a `type`; their routes; codes of errors.

See `protocol.md` of Maelstrom (Kingsbury).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec

ERRORS = {
    0: "timeout",
    1: "node not found",
    10: "not supported",
    11: "temporarily unavailable",
    12: "malformed request",
    13: "crash",
    14: "abort",
    20: "key does not exist",
    21: "key already exists",
    22: "precondition failed",
    30: "transaction conflict",
}
INDEFINITE = frozenset((0, 13))
"""The codes after which an operation may have happened. After any other known code it has not."""
NOT_SUPPORTED, MALFORMED, KEY_DOES_NOT_EXIST, PRECONDITION_FAILED = 10, 12, 20, 22
SERVICES = ("lin-kv", "seq-kv", "lww-kv", "lin-tso")
"""The names of Maelstrom's services."""
Body = dict[str, Any]
"""The body of a message: a JSON object with a `type`."""
Route = Literal["node", "service", "client"]


class BadMessage(Exception):
    """A line is no message; the text quotes the line and says what is wrong."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, by whatever names the sender gave as `src` and `dest`."""

    src: str
    dest: str
    body: Body
    id: int | None = None
    """The number that the network gives to each message; None before."""


def route(message: Message, nodes: Collection[str], services: Collection[str]) -> Route:
    """The kind of receiver that a message is for.

    Only `dest` counts: a node may send a message with the name of another as `src`, as one does that hands a
    client's request on. Any name that is neither a node's nor a service's is taken for a client's.
    """
    if message.dest in nodes:
        return "node"
    return "service" if message.dest in services else "client"


def error(code: int, text: str) -> Body:
    """The body of an error."""
    return {"type": "error", "code": code, "text": text}


def encode(message: Message) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of `encode`. Raises: BadMessage."""
    try:
        return msgspec.json.decode(line, type=Message)
    except msgspec.DecodeError as wrong:
        shown = line.decode(errors="replace").strip()[:200]
        raise BadMessage(f"{shown!r} is no message, a JSON object with src, dest and body: {wrong}") from None


def in_words(line: bytes) -> str:
    """A message by its type and what it says, for diagrams: `write key=1 value=4`. Raises: BadMessage."""
    message = decode(line)
    body = message.body
    said = {name: what for name, what in body.items() if name not in ("type", "msg_id", "in_reply_to")}
    fields = (f"{name}={msgspec.json.encode(what).decode()}" for name, what in said.items())
    # A diagram has one lane for all that are no nodes, so it does not show which service is asked.
    service = (f"{name}:" for name in (message.src, message.dest) if name in SERVICES)
    return " ".join((*service, str(body.get("type", "")), *fields))


def is_definite(code: Any) -> bool:
    """Whether an error of this code says that the operation did not happen."""
    return code in ERRORS and code not in INDEFINITE
