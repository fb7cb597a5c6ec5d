"""The rules of a log of decisions: those of Basic Paxos for each slot, and what many slots at once add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi.command import NOOP, Batch
from ostrakon.paxos_impl.core.multi.configuration import ALPHA, Configuration, changed_to, in_force, since
from ostrakon.paxos_impl.core.multi.effect import Fact
from ostrakon.paxos_impl.core.multi.lease import LeaseRules
from ostrakon.paxos_impl.core.multi.log import Cell, Log
from ostrakon.paxos_impl.core.multi.message import Chunk
from ostrakon.paxos_impl.core.multi.snapshot import Image, SnapshotId, checksum
from ostrakon.paxos_impl.core.rules import Rules


class LogRules(Rules, LeaseRules):
    """Multi-Paxos (PMS 3). A slot's acceptor is the paper's, with one promise for all slots."""

    __slots__ = ()

    # What phase 1 for many slots adds.

    def reported_from(self, log: Log, from_slot: int, commit_index: int) -> Sequence[tuple[int, Vote]]:
        """What a promise tells: for each slot that the prepare covers, the own vote of the highest ballot.

        Slots up to `commit_index` are reported too, because the new leader may not know that they are chosen.
        """
        return [
            (slot, vote)
            for slot, cast in log.votes_from(from_slot)
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

    def next_applied(self, log: Log, applied: int, learned: int) -> int | None:
        """The slot to execute next, once `learned` is chosen: the one after the last, or none yet."""
        return applied + 1 if log[applied + 1].chosen is not None else None

    def catches_up(self) -> bool:
        """Whether a replica that hears of slots it does not know asks what they hold."""
        return True

    # Leading.

    def may_go_on(self, is_answered: bool) -> bool:
        """Whether a leader goes on leading: only if a quorum answers it.

        If it did not give up, those who hear it would wait for it in vain, though one of them may be able to
        reach a quorum that it does not.
        """
        return is_answered

    def may_defer_to(self, deferred_to: tuple[int, ...], candidate: int) -> bool:
        """Whether a replica waits with standing itself because it was asked for its support.

        For each candidate once. If it did so every time, those who reach nobody else could keep the only one
        from standing who reaches a quorum.
        """
        return candidate not in deferred_to

    # Reading without a slot.

    def may_read(self, is_leader: bool) -> bool:
        """Whether a replica takes up a request to read: only a leader knows how far it would have to be."""
        return is_leader

    def heartbeat_for_read(self, heartbeat: int) -> int:
        """Which heartbeat a quorum must have answered before a read that came after number `heartbeat`.

        The next one. Who answers it has not promised a higher ballot by then, so no other leader had a
        command chosen before the read came.
        """
        return heartbeat + 1

    def is_current(self, commit_index: int, last_reported: int) -> bool:
        """Whether a leader's state holds all that was acknowledged before its time.

        It does once it knows to be chosen what its promises reported: all up to `last_reported`.
        """
        return commit_index >= last_reported

    # Snapshots.

    def droppable(self, snapshot: int, keep: int, applied: int) -> int:
        """Up to which slot the log may be dropped: where a durable snapshot covers it, and `keep` before."""
        return snapshot - keep

    def may_install(self, snapshot: int, applied: int) -> bool:
        """Whether a snapshot is of use: not if what it shows was executed already."""
        return snapshot > applied

    def hands_over(self) -> bool:
        """Whether who asks for slots that are gone is offered the snapshot that has them."""
        return True

    def continues(self, id: SnapshotId, size: int, chunk: Chunk) -> bool:
        """Whether a piece is the next one of this very snapshot, of which `size` bytes are here."""
        return chunk.id == id and chunk.offset == size and checksum(chunk.data) == chunk.checksum

    def is_whole(self, id: SnapshotId, image: Image) -> bool:
        """Whether the pieces together are what was offered."""
        return image.id == id

    # Membership.

    def in_force(self, configurations: Sequence[Configuration], slot: int) -> Configuration:
        """Who decides a slot: whoever the log up to ALPHA slots before it says (PMS 3)."""
        return in_force(configurations, slot)

    def in_force_from(self, slot: int) -> int:
        """The first slot for which a change that is decided in `slot` is in force."""
        return slot + ALPHA

    def takes_effect(self, newest: Configuration, proposed: Configuration) -> bool:
        """Whether a change that was decided is made: it is if it was meant to follow the newest one."""
        return proposed.version == newest.version + 1

    def counted(self, configuration: Configuration, voters: tuple[int, ...]) -> tuple[int, ...]:
        """Whose promises and votes count."""
        members = configuration.voters
        return tuple(voter for voter in voters if voter in members)

    def may_vote_soon(self, commit_indexes: int, commit_index: int) -> bool:
        """Whether a learner is near enough to the end of the log to be given a vote.

        If it were not, the cluster might have to wait for it.
        """
        return commit_index - commit_indexes <= ALPHA

    # Stable storage.

    def remembered(self, fact: Fact) -> Fact | None:
        """What of a fact goes to stable storage: all of it (PMS 2.5)."""
        return fact


LOG_RULES = LogRules()
"""The rules as the paper has them."""


class ConfigurationsAfter(NamedTuple):
    """What the commands of a slot do to the configurations."""

    configurations: tuple[Configuration, ...]
    """Those of the slots after it."""
    is_made: tuple[bool | None, ...]
    """By command, whether the change that it asks for is made; None if it asks for none."""


def configurations_after(
    rules: LogRules, before: tuple[Configuration, ...], slot: int, batch: Batch
) -> ConfigurationsAfter:
    """Change the configurations as the commands of a slot say, and drop those that no open slot needs.

    Replicas that run and replicas that recover from a disk both call this, so that they agree.
    """
    configurations = before if len(before) == 1 else since(before, slot + 1)
    is_made: list[bool | None] = []
    for command in batch:
        if (wanted := changed_to(command)) is None:
            is_made.append(None)
            continue
        is_made.append(rules.takes_effect(configurations[-1], wanted))
        if is_made[-1]:
            changed = replace(wanted, from_slot=rules.in_force_from(slot))
            configurations = since((*configurations, changed), slot + 1)
    return ConfigurationsAfter(configurations, tuple(is_made))
