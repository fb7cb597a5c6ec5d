"""The rules of a log of decisions: those of Basic Paxos for each slot, and what many slots at once add."""

from __future__ import annotations

from collections.abc import Sequence

from paxos_impl.core.acceptor import Acceptor
from paxos_impl.core.ballot import Ballot, Vote
from paxos_impl.core.log.command import NOOP, Batch
from paxos_impl.core.log.effect import Fact
from paxos_impl.core.log.ledger import Cell, Ledger
from paxos_impl.core.rules import Rules


class LogRules(Rules):
    """Multi-Paxos (PMS 3). A slot's acceptor is the paper's, with one promise for all slots."""

    __slots__ = ()

    # What phase 1 for many slots adds.

    def reported_from(self, ledger: Ledger, from_slot: int, upto: int) -> Sequence[tuple[int, Vote]]:
        """What a promise tells: for each slot that the prepare covers, the own vote of the highest ballot.

        Slots up to `upto`, which are known to be chosen, are no exception: the new leader may not know.
        """
        return [
            (slot, vote)
            for slot, cast in ledger.votes_from(from_slot)
            if (vote := self.reported(Acceptor(None, cast))) is not None
        ]

    def filler(self) -> Batch | None:
        """What a new leader proposes in a slot that no promise reports a vote in, when later ones have some.

        "It does this by proposing [...] a special no-op command that leaves the state unchanged" (PMS 3).
        """
        return NOOP

    # Learning.

    def may_learn(self, cell: Cell, ballot: Ballot) -> bool:
        """Whether one who is told that the leader of `ballot` knows a slot to be chosen knows what it holds.

        It does if it voted there at that very ballot, since a ballot proposes one value. An older vote may
        be for anything.
        """
        return cell.accepted is not None and cell.accepted.ballot == ballot

    def next_applied(self, ledger: Ledger, applied: int, learned: int) -> int | None:
        """The slot to execute next, once `learned` is chosen: the one after the last, or none yet."""
        return applied + 1 if ledger[applied + 1].chosen is not None else None

    def catches_up(self) -> bool:
        """Whether a replica that hears of slots it does not know asks what they hold."""
        return True

    # Reading without a slot.

    def may_read(self, is_leader: bool) -> bool:
        """Whether a replica takes up a request to read: only a leader knows how far it would have to be."""
        return is_leader

    def beats_to_hear(self, beat: int) -> int:
        """Which heartbeat a quorum must have answered before a read that came after number `beat`.

        The next one. Who answers it has not promised a higher ballot by then, so no other leader had a
        command chosen before the read came.
        """
        return beat + 1

    def is_current(self, upto: int, barrier: int) -> bool:
        """Whether a leader's state holds all that was acknowledged before its time.

        It does once it knows to be chosen what its promises reported: all up to `barrier`.
        """
        return upto >= barrier

    # Stable storage.

    def remembered(self, fact: Fact) -> Fact | None:
        """What of a fact goes to stable storage: all of it (PMS 2.5)."""
        return fact


LOG_RULES = LogRules()
"""The rules as the paper has them."""
