"""Configurations: who is a member, and whose votes count, from which slot on.

The log itself says so: the state after slot s determines who decides slot s + ALPHA (PMS 3). Nobody proposes
further ahead than that, so that whoever counts votes for a slot knows whose to count.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.log import FIRST

ALPHA = 16
"""How many slots after its own a change is in force; so many may be under way at once."""


class Member(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One replica."""

    id: int
    address: str = ""
    """Where it is found; the core passes it on."""
    votes: bool = True
    """Whether its votes count; a learner's don't: it only follows the log."""


class Configuration(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The members from a slot on."""

    version: int
    """Counts the changes."""
    members: tuple[Member, ...]
    """In order of their ids; none at all where only later configurations are known."""
    next_id: int
    """No member ever had this id or one above. An id is never given again: who had it may have made
    promises that nobody else knows of."""
    from_slot: int = FIRST
    """The first slot for which it is in force."""

    @property
    def ids(self) -> tuple[int, ...]:
        """All members."""
        return tuple(member.id for member in self.members)

    @property
    def voters(self) -> tuple[int, ...]:
        """Those who count towards quorums."""
        return tuple(member.id for member in self.members if member.votes)

    # The members as they could be next.

    def with_learner(self, address: str) -> tuple[Member, ...]:
        """With another member, who has the next id that is free and no vote yet."""
        return (*self.members, Member(self.next_id, address, votes=False))

    def with_vote(self, id: int) -> tuple[Member, ...]:
        """With a vote for one of them."""
        return tuple(Member(each.id, each.address, each.votes or each.id == id) for each in self.members)

    def without(self, id: int) -> tuple[Member, ...]:
        """Without one of them."""
        return tuple(each for each in self.members if each.id != id)

    # What becomes of that.

    def followed_by(self, members: Sequence[Member]) -> Configuration:
        """The configuration after this one; its first slot is not known yet."""
        ordered = tuple(sorted(members, key=lambda member: member.id))
        return Configuration(self.version + 1, ordered, max(self.next_id, ordered[-1].id + 1))

    def objection(self, members: Sequence[Member]) -> str | None:
        """Why nothing like these could be the members next."""
        if len({member.id: None for member in members}) != len(members):
            return "a server can't be a member twice"
        if not any(member.votes for member in members):
            return "somebody has to vote"
        for member in members:
            if member.id not in self.ids and member.id < self.next_id:
                return f"{member.id} is the id of a former member; {self.next_id} would be free"
            if member.id not in self.ids and member.votes:
                return f"server {member.id} has to be a learner before it gets a vote"
        return None


def founded_by(ids: Sequence[int]) -> Configuration:
    """What a cluster begins with: all of these vote."""
    members = tuple(Member(id) for id in sorted(ids))
    return Configuration(0, members, max(ids, default=-1) + 1)


def in_force(configurations: Sequence[Configuration], slot: int) -> Configuration:
    """The configuration of a slot, out of all that are known, oldest first."""
    return next(
        (each for each in reversed(configurations) if each.from_slot <= slot),
        configurations[0],
    )


def since(configurations: Sequence[Configuration], slot: int) -> tuple[Configuration, ...]:
    """Those of the configurations that are in force for this slot or for one above."""
    first = in_force(configurations, slot)
    return tuple(each for each in configurations if each.from_slot >= first.from_slot)


def members_of(configurations: Sequence[Configuration]) -> tuple[int, ...]:
    """Everybody who is a member in any of these."""
    return tuple(sorted({id: None for each in configurations for id in each.ids}))


# A change as a command of the log.

CLUSTER = "//"
"""How the names of those begin who propose changes; no client has such a name."""


def change_to(configuration: Configuration, proposer: str) -> Command:
    """The command that puts a configuration into force. The proposer's name tells it from others' changes."""
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(configuration))
    return Command(CLUSTER + proposer, configuration.version, plain)


def is_change(command: Command) -> bool:
    """Whether a command is about the configuration, and not for the state machine."""
    return command.client.startswith(CLUSTER)


def changed_to(command: Command) -> Configuration | None:
    """The configuration that a command is to put into force; None if it is no change, or makes no sense."""
    if not is_change(command):
        return None
    try:
        return msgspec.convert(command.op, Configuration)
    except msgspec.ValidationError:
        return None
