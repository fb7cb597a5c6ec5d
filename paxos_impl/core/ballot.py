"""Ballots, which order all proposals, and votes, which acceptors cast in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

Value = Any
"""What is decided: any plain data but None, which in messages and traces means "no value"."""


class Ballot(NamedTuple):
    """The number of a proposal (PMS 2.2), written `[round, server_id]` on the wire.

    Ballots compare by round first. The server id makes those of different proposers disjoint, as PMS 2.5
    demands.
    """

    round: int
    server_id: int

    def __str__(self) -> str:
        return f"{self.round}.{self.server_id}"


class Vote(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value accepted at a ballot."""

    ballot: Ballot
    value: Value


def highest(*ballots: Ballot | None) -> Ballot | None:
    """The highest of these ballots; None if all of them are None."""
    return max((ballot for ballot in ballots if ballot is not None), default=None)
