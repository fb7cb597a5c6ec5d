"""Suggestions for a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question with up to three names that are similar to this one; empty if none is similar.

    >>> did_you_mean("partiton", ["kill", "partition"])
    'did you mean partition?'
    """
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """The question of `did_you_mean` or, if no name is similar, the list of all names.

    >>> suggestion("x", ["kill", "partition"])
    'there are kill, partition'
    """
    known = list(known)
    return did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}"
