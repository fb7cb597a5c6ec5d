"""What instances say to one another; each message is also its own wire format."""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote

DECREE = 0
"""The slot of the one decree that Basic Paxos decides."""


class Prepare(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1a (PMS 2.2): will you promise to accept nothing below this ballot?"""

    ballot: Ballot
    slot: int = DECREE


class Promise(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1b: I will; and this is the vote of my highest ballot so far, if I have cast any."""

    ballot: Ballot
    accepted: Vote | None = None
    slot: int = DECREE


class Propose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2a (the paper's "accept request"): vote for this value at this ballot."""

    ballot: Ballot
    value: Value
    slot: int = DECREE


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2b: I have voted. It goes to every member, since every member is a learner."""

    ballot: Ballot
    value: Value
    slot: int = DECREE


class Nack(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """I refuse `ballot`, because I promised a higher one; it lets the proposer go above that (PMS 2.5)."""

    ballot: Ballot
    promised: Ballot
    slot: int = DECREE


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What do you know of this slot? Asked by who has not learned it yet."""

    slot: int = DECREE


class Tell(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The answer to `Ask`: the vote I last cast, and what I know to be chosen.

    It is not a vote itself. That was cast, and sent, earlier; since then I may have promised more.
    """

    accepted: Vote | None
    chosen: Vote | None
    slot: int = DECREE


Message = Prepare | Promise | Propose | Accepted | Nack | Ask | Tell
