"""Phrases for ballots, nodes and restarts."""

from __future__ import annotations

from collections.abc import Iterable


def ballot_text(ballot: tuple[int, int] | None) -> str:
    """Round and server id: `3.2`."""
    return "none" if ballot is None else f"{ballot[0]}.{ballot[1]}"


def names_text(nodes: Iterable[str]) -> str:
    """Names in order: `n1, n2 and n3`."""
    names = sorted(nodes)
    if not names:
        return "nobody"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def restart_text(restarts: int) -> str:
    """The number of restarts of a node between two of its events, as part of a sentence."""
    if restarts <= 0:
        return ""
    return " after a restart" if restarts == 1 else f" after {restarts} restarts"
