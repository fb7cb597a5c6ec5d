"""Messages as diagrams show them: sender, receiver, contents, when, and whether the message arrived.

`messages.jsonl` of a run folder holds them, one JSON object a line, in the order in which they were sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

TEXT_MAX = 200
"""Characters of a message's text that are kept."""
_PREVIEW_BYTES, _SEARCHED_BYTES = 8, 200


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One message between two machines.

    Message(sender="n1", receiver="n2", sent=1_000_000, received=1_500_000, size=6, text="vote 3")
    """

    sender: str
    receiver: str
    sent: int
    """Nanoseconds since the trial began."""
    received: int | None = None
    """When it arrived, by the same clock; None if it did not."""
    size: int | None = None
    """Its size in bytes; None if nobody counted them."""
    text: str = ""
    """The message in a few words."""


def described(payload: bytes, describe: Callable[[bytes], str] | None = None) -> str:
    """A message in a few words: what `describe` returns, else its text, or its first bytes in hex.

    `describe` may raise for a message that it cannot decode; then the bytes are shown.
    """
    if describe is not None:
        try:
            return str(describe(payload))[:TEXT_MAX]
        except Exception:
            # Whatever travels on a connection comes here, and a decoder may meet bytes that are not its own.
            return preview(payload)
    return preview(payload)


def preview(payload: bytes) -> str:
    """Bytes for people: text as it is, a JSON object by its fields, and else the first bytes in hex and the
    longest word in them.

    >>> preview(b"write 1\\n")
    'write 1'
    >>> preview(b"\\x00\\x00\\x00\\x02ok")
    '00000002 6f6b'
    >>> preview(b"\\x93\\xadClientPropose\\x00")
    "93ad436c 69656e74… 'ClientPropose'"
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = ""
    stripped = text.strip()
    if stripped and all(char.isprintable() or char in "\r\n\t" for char in stripped):
        return (_fields(stripped) or " ".join(stripped.split()))[:TEXT_MAX]
    more = "…" if len(payload) > _PREVIEW_BYTES else ""
    # The words in binary messages say more than their bytes do: names of fields, kinds of requests.
    words = max(re.findall(rb"[!-~]{4,}", payload[:_SEARCHED_BYTES]), key=len, default=b"").decode()
    return payload[:_PREVIEW_BYTES].hex(" ", -4) + more + (f" {words[:40]!r}" if words else "")


def _fields(text: str) -> str:
    """The fields of a JSON object as `do=append term=3`, which takes less room; empty if it is none."""
    if not text.startswith("{"):
        return ""
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return ""
    return " ".join(f"{_plain(name)}={_plain(value)}" for name, value in fields.items())


def _plain(value: Any) -> str:
    is_printable = isinstance(value, str) and value.isprintable()
    return str(value) if is_printable else msgspec.json.encode(value).decode()


def write_messages(path: Path, messages: Iterable[Message]) -> None:
    """Write a `messages.jsonl`. Raises: OSError."""
    encode = msgspec.json.Encoder().encode
    ordered = sorted(messages, key=lambda message: message.sent)
    path.write_bytes(b"".join(encode(message) + b"\n" for message in ordered))


def read_messages(path: Path) -> tuple[Message, ...]:
    """Read a `messages.jsonl`. Raises: OSError; msgspec.DecodeError if a line is no message."""
    return tuple(msgspec.json.Decoder(Message).decode_lines(path.read_bytes()))
