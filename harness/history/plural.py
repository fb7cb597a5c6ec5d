"""Numbers of things in words: 1 fault, 2 faults."""

from __future__ import annotations


def count(many: int, noun: str) -> str:
    """The number and the noun, in the plural unless there is one.

    >>> count(1, "fault"), count(1200, "op")
    ('1 fault', '1,200 ops')
    """
    return f"{many:,} {noun}{'' if many == 1 else 's'}"
