"""Messages between instances. Each class is also the wire format of its message: an array after its tag."""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote

DECREE = 0
"""The slot of the one decree that Basic Paxos decides."""


class Prepare(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1a (PMS 2.2): asks for a promise to accept nothing below this ballot."""

    ballot: Ballot
    slot: int = DECREE


class Promise(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1b: the promise, and the sender's vote of the highest ballot so far, if it has cast one."""

    ballot: Ballot
    accepted: Vote | None = None
    slot: int = DECREE


class Propose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2a (the paper's "accept request"): asks for a vote for this value at this ballot."""

    ballot: Ballot
    value: Value
    slot: int = DECREE


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2b: the sender has voted. It goes to every member, since every member is a learner."""

    ballot: Ballot
    value: Value
    slot: int = DECREE


class Nack(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Refuses `ballot`, because a higher one is promised. The proposer can then go above that (PMS 2.5)."""

    ballot: Ballot
    promised: Ballot
    slot: int = DECREE


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks what the receiver knows of this slot. The sender has not learned it yet."""

    slot: int = DECREE


class Tell(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The response to `Ask`: the vote that the sender cast last, and what it knows to be chosen.

    The message is not a vote itself: that was cast and sent earlier, and a higher promise may have followed.
    """

    accepted: Vote | None
    chosen: Vote | None
    slot: int = DECREE


Message = Prepare | Promise | Propose | Accepted | Nack | Ask | Tell
