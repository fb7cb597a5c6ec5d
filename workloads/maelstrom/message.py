"""Messages as Maelstrom has them: `src`, `dest` and a `body` with a `type`; and what its errors mean.

See the protocol of Maelstrom (Kingsbury), which programs of many languages speak.
"""

from __future__ import annotations

from typing import Any

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
"""After these nobody knows whether it happened; after every other known error it has not."""
KEY_DOES_NOT_EXIST = 20


class BadMessage(Exception):
    """A line is no message; the text quotes it and says what is wrong."""


class Message(msgspec.Struct, frozen=True):
    """One message; what a body means is its reader's affair."""

    src: str
    dest: str
    body: dict[str, Any]


def encode(message: Message) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of `encode`. Raises: BadMessage."""
    try:
        return msgspec.json.decode(line, type=Message)
    except msgspec.DecodeError as error:
        shown = line.decode(errors="replace").strip()[:200]
        raise BadMessage(f"{shown!r} is no message, a JSON object with src, dest and body: {error}") from None


def in_words(line: bytes) -> str:
    """A message by its type and what it says, for diagrams: `write key=1 value=4`. Raises: BadMessage."""
    body = decode(line).body
    said = {name: what for name, what in body.items() if name not in ("type", "msg_id", "in_reply_to")}
    fields = (f"{name}={msgspec.json.encode(what).decode()}" for name, what in said.items())
    return " ".join((str(body.get("type", "")), *fields))


def is_definite(code: Any) -> bool:
    """Whether an error of this code says that what was asked for did not happen."""
    return code in ERRORS and code not in INDEFINITE
