"""The acceptor: what it has promised and accepted, and how it answers a proposer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.message import Accepted, Nack, Prepare, Promise, Propose

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.rules import Rules


class Acceptor(msgspec.Struct, frozen=True, gc=False):
    """The two things an acceptor must never forget (PMS 2.2, 2.5)."""

    promised: Ballot | None = None
    accepted: Vote | None = None

    def answer(self, request: Prepare | Propose, rules: Rules) -> tuple[Acceptor, Promise | Accepted | Nack]:
        """The acceptor after a request, and what it replies."""
        match request:
            case Prepare(ballot, slot) if rules.may_promise(self, ballot):
                reported = rules.reported(self)
                return rules.promise(self, ballot), Promise(ballot, reported, slot)
            case Propose(ballot, value, slot) if rules.may_accept(self, ballot):
                return rules.accept(self, Vote(ballot, value)), Accepted(ballot, value, slot)
            case Prepare(ballot, slot=slot) | Propose(ballot, slot=slot):
                assert self.promised is not None, f"{request} refused for no reason"
                return self, Nack(ballot, self.promised, slot)
