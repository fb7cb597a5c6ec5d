"""The rules of Multi-Paxos: those of Basic Paxos for each slot, and those that a log adds.

Each rule is a small pure function, so that a seeded bug can override one and break nothing else.
"""

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
from ostrakon.paxos_impl.core.multi.message import Accepted, Chunk
from ostrakon.paxos_impl.core.multi.snapshot import Image, SnapshotId, checksum
from ostrakon.paxos_impl.core.rules import Rules


class LogRules(Rules, LeaseRules):
    """Multi-Paxos (PMS 3). The acceptor of a slot is that of the paper, with one promise for all slots."""

    __slots__ = ()

    # Phase 1 for many slots.

    def reported_from(self, log: Log, from_slot: int, commit_index: int) -> Sequence[tuple[int, Vote]]:
        """What a promise reports: by slot that the prepare is about, the vote of the highest ballot.

        Slots up to `commit_index` are reported too, because the new leader may not know that they are chosen.
        """
        return [
            (slot, vote)
            for slot, cast in log.votes_from(from_slot)
            if (vote := self.reported(Acceptor(None, cast))) is not None
        ]

    def filler(self) -> Batch | None:
        """What a new leader proposes in a slot that no promise reports a vote in, if a later slot has one.

        "It does this by proposing [...] a special no-op command that leaves the state unchanged" (PMS 3).
        """
        return NOOP

    # Learning.

    def may_learn(self, cell: Cell, ballot: Ballot) -> bool:
        """Whether a replica knows what is chosen in a slot, if the leader of `ballot` says that something is.

        It does if it voted there at that very ballot, since a ballot proposes one value in a slot. An older
        vote may be for another value.
        """
        return cell.accepted is not None and cell.accepted.ballot == ballot

    def next_applied(self, log: Log, applied: int, learned: int) -> int | None:
        """The slot to execute next, once `learned` is chosen: the one after `applied`, if it is known."""
        return applied + 1 if log[applied + 1].chosen is not None else None

    def catches_up(self) -> bool:
        """Whether a replica asks for slots that it hears of and does not know."""
        return True

    # Leading.

    def may_go_on(self, is_answered: bool) -> bool:
        """Whether a leader goes on leading: only if a quorum has answered it.

        Otherwise its followers would wait for it for ever, although one of them may reach a quorum.
        """
        return is_answered

    def may_defer_to(self, deferred_to: tuple[int, ...], candidate: int) -> bool:
        """Whether a replica puts off its own pre-vote after it has agreed to that of another candidate.

        It does so once for each candidate. If it did so every time, candidates that reach no quorum could
        keep the only one that does from ever trying.
        """
        return candidate not in deferred_to

    def counts_vote(self, ballot: Ballot, accepted: Accepted) -> bool:
        """Whether a vote is for what the leader of `ballot` proposed: it is if the vote is at that ballot.

        Any other vote in that slot may be for another value.
        """
        return accepted.ballot == ballot

    # Reading without a slot.

    def may_read(self, is_leader: bool) -> bool:
        """Whether a replica answers reads: only a leader can know how much its answer has to reflect."""
        return is_leader

    def heartbeat_for_read(self, heartbeat: int) -> int:
        """Which heartbeat a quorum must answer before a read that came after heartbeat number `heartbeat`.

        The next one: a follower that answers it has promised no higher ballot by then, so no other leader
        has had a command chosen before the read came.
        """
        return heartbeat + 1

    def is_current(self, commit_index: int, last_reported: int) -> bool:
        """Whether a leader's state contains all that was acknowledged before it led.

        It does once all slots are chosen that its promises reported: those up to `last_reported`.
        """
        return commit_index >= last_reported

    # Snapshots.

    def droppable(self, snapshot: int, keep: int, applied: int) -> int:
        """The slot up to which the log may be dropped: `keep` slots below a durable snapshot."""
        return snapshot - keep

    def may_install(self, snapshot: int, applied: int) -> bool:
        """Whether a snapshot is of use: not if its slots were executed already."""
        return snapshot > applied

    def hands_over(self) -> bool:
        """Whether a replica that asks for dropped slots is offered the snapshot that contains them."""
        return True

    def continues(self, id: SnapshotId, size: int, chunk: Chunk) -> bool:
        """Whether an undamaged chunk continues this very snapshot, of which `size` bytes are here."""
        return chunk.id == id and chunk.offset == size and checksum(chunk.data) == chunk.checksum

    def is_whole(self, id: SnapshotId, image: Image) -> bool:
        """Whether the chunks together are the snapshot that was offered."""
        return image.id == id

    def installs_saved_only(self) -> bool:
        """Whether a snapshot from another replica is durable before it takes the place of the state.

        If it were not, the replica would vote in slots after it, and could not find these again.
        """
        return True

    # Backups.

    def may_back_up(self, executed: int, acknowledged: int) -> bool:
        """Whether the state after slot `executed` is a backup of all that was acknowledged up to a slot."""
        return executed >= acknowledged

    # Membership.

    def in_force(self, configurations: Sequence[Configuration], slot: int) -> Configuration:
        """The configuration that decides a slot: as the log up to ALPHA slots before it says (PMS 3)."""
        return in_force(configurations, slot)

    def in_force_from(self, slot: int) -> int:
        """The first slot that a configuration decides which is decided in `slot`."""
        return slot + ALPHA

    def takes_effect(self, newest: Configuration, proposed: Configuration) -> bool:
        """Whether a decided change is made: only if it was proposed to follow the newest configuration."""
        return proposed.version == newest.version + 1

    def counted(self, configuration: Configuration, voters: tuple[int, ...]) -> tuple[int, ...]:
        """Those of the voters whose promises and votes count: the ones with a vote in this configuration."""
        members = configuration.voters
        return tuple(voter for voter in voters if voter in members)

    def may_vote_soon(self, reached: int, commit_index: int) -> bool:
        """Whether a learner with commit index `reached` is near enough to the end of the log to get a vote.

        If it is far behind, a quorum that needs it has to wait until it has caught up (Raft, 4.2.1).
        """
        return commit_index - reached <= ALPHA

    # Stable storage.

    def remembered(self, fact: Fact) -> Fact | None:
        """What part of a fact goes to stable storage: all of it (PMS 2.5)."""
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
