"""The proposer: gathers promises of a quorum, proposes a safe value, and backs off when it is refused.

It only decides. `transition.py` calls it, and sends what it decides to send.
"""

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
    """The vote that each promise reported, in the order of `promisers`."""


class Proposing(msgspec.Struct, frozen=True, gc=False):
    """Phase 2: a value is proposed. The learner counts the votes."""

    ballot: Ballot
    value: Value


class BackingOff(msgspec.Struct, frozen=True, gc=False):
    """Refused. Waits for a while, so that a rival can finish (PMS 2.4)."""


Phase = Idle | Preparing | Proposing | BackingOff


class Proposer(msgspec.Struct, frozen=True, gc=False):
    """The state of a proposer. Only the promises of its ballot matter to safety; the rest is for progress."""

    phase: Phase = Idle()
    highest: Ballot | None = None
    """The highest ballot that it has used or heard of."""
    attempts: int = 0
    """How often it had to send or begin again since it was idle."""

    def prepare(self, ballot: Ballot) -> Proposer:
        """Begin a new ballot."""
        return Proposer(Preparing(ballot), highest(self.highest, ballot), self.attempts)

    def hear(self, reply: Promise | Nack, sender: int, members: int, wanted: Value, rules: Rules) -> Proposer:
        """The proposer after a reply. `wanted` is what it proposes if no promise reports a vote."""
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
        """The proposer when it sends once more."""
        return Proposer(self.phase, self.highest, self.attempts + 1)


def _further(phase: Preparing, members: int, wanted: Value, rules: Rules) -> Preparing | Proposing:
    """Phase 2 begins once a quorum has promised (PMS 2.2, phase 2a)."""
    if len(phase.promisers) < rules.quorum(members):
        return phase
    return Proposing(phase.ballot, rules.safe_value(phase.reports, wanted))
