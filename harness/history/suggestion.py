"""What to offer somebody who used a name that nothing has."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names up to three names that are like this one; empty if none is.

    >>> did_you_mean("partiton", ["kill", "partition"])
    'did you mean partition?'
    """
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """That question or, where no name is like this one, the list of all names.

    >>> suggestion("x", ["kill", "partition"])
    'there are kill, partition'
    """
    known = list(known)
    return did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}"
