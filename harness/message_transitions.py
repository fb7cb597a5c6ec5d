"""Which kinds of messages follow which at a node: what a search learns from where programs report no events.

The kind of a message is read from its bytes, since nobody has said what they mean: its first words, without
numbers and other values, or its size where it has no words.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

_READ_BYTES, _WORDS_MAX, _WORD_MAX = 64, 3, 16
_WORD = re.compile(rb"[A-Za-z_]{2,}")


class MessageTransitions:
    """Counts how often one kind of message came next after another at the same receiver."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def add(self, sender: str, receiver: str, payload: bytes, *, is_lost: bool) -> None:
        """Count a message that a node received, or that its sender sent in vain."""
        kind = kind_of(payload[:_READ_BYTES])
        node, event = (sender, f"lost:{kind}") if is_lost else (receiver, kind)
        if (before := self._last.get(node)) is not None:
            self._found[f"{before} {event}"] += 1
        self._last[node] = event

    def counts(self) -> dict[str, int]:
        """How often each transition occurred, `append vote`, in order of its name."""
        return dict(sorted(self._found.items()))


@lru_cache(maxsize=4_096)
def kind_of(payload: bytes) -> str:
    """The kind of a message, as its bytes suggest.

    >>> kind_of(b'{"do": "append", "term": 12}'), kind_of(b"write 17"), kind_of(bytes(9))
    ('do-append-term', 'write', 'bytes-4')
    """
    words = _WORD.findall(payload)[:_WORDS_MAX]
    if not words:
        return f"bytes-{len(payload).bit_length()}"
    return "-".join(word[:_WORD_MAX].decode("ascii") for word in words)
