"""The proposer: seeks promises from a quorum, proposes the value that is safe, yields when refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote, highest
from ostrakon.paxos_impl.core.message import Nack, Promise

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.rules import Rules


class Idle(msgspec.Struct, frozen=True, gc=False):
    """Nothing to propose."""


class Preparing(msgspec.Struct, frozen=True, gc=False):
    """Phase 1: gathering promises for a ballot."""

    ballot: Ballot
    promisers: tuple[int, ...] = ()
    reports: tuple[Vote | None, ...] = ()
    """What they reported, in the same order."""


class Proposing(msgspec.Struct, frozen=True, gc=False):
    """Phase 2: a value is proposed. The learner counts the votes."""

    ballot: Ballot
    value: Value


class BackingOff(msgspec.Struct, frozen=True, gc=False):
    """Refused; waiting for a while, so that a rival may finish (PMS 2.4)."""


Phase = Idle | Preparing | Proposing | BackingOff


class Proposer(msgspec.Struct, frozen=True, gc=False):
    """Where a proposer stands. Only promises and ballots seen matter to safety; the rest is progress."""

    phase: Phase = Idle()
    highest: Ballot | None = None
    """The highest ballot it has used or heard of."""
    attempts: int = 0
    """How often it had to send again or begin again since it was idle."""

    def prepare(self, ballot: Ballot) -> Proposer:
        """Begin a new ballot."""
        return Proposer(Preparing(ballot), highest(self.highest, ballot), self.attempts)

    def hear(self, reply: Promise | Nack, sender: int, members: int, wanted: Value, rules: Rules) -> Proposer:
        """The proposer after a reply; `wanted` is what it proposes if it is free to."""
        seen = highest(self.highest, reply.promised) if isinstance(reply, Nack) else self.highest
        match self.phase:
            case Preparing(ballot) as phase if rules.counts_promise(ballot, reply):
                promisers = rules.with_voter(phase.promisers, sender)
                if promisers == phase.promisers:
                    return self
                report = reply.accepted if isinstance(reply, Promise) else None
                preparing = Preparing(ballot, promisers, (*phase.reports, report))
                return Proposer(_further(preparing, members, wanted, rules), seen, self.attempts)
            case Preparing(ballot) | Proposing(ballot) if isinstance(reply, Nack) and reply.ballot == ballot:
                return Proposer(BackingOff(), seen, self.attempts + 1)
        return Proposer(self.phase, seen, self.attempts)

    def again(self) -> Proposer:
        """The proposer as it sends once more."""
        return Proposer(self.phase, self.highest, self.attempts + 1)


def _further(phase: Preparing, members: int, wanted: Value, rules: Rules) -> Preparing | Proposing:
    """Phase 2 begins once a quorum has promised (PMS 2.2, phase 2a)."""
    if len(phase.promisers) < rules.quorum(members):
        return phase
    return Proposing(phase.ballot, rules.safe_value(phase.reports, wanted))
