"""Configurations: which servers are members, and whose votes count, from which slot on.

The log itself changes them: the state after slot s determines who decides slot s + ALPHA (PMS 3). A leader
proposes no further ahead than that, so it knows whose votes to count in every slot that it proposes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.log import FIRST

ALPHA = 16
"""How many slots after its own slot a change is in force. As many slots may be open at once."""


class Member(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One replica."""

    id: int
    address: str = ""
    """Its network address. The core does not use it, and passes it on."""
    votes: bool = True
    """Whether its votes count. A member without a vote is a learner: it only follows the log."""


class Configuration(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """The members from a slot on."""

    version: int
    """How many changes were made before this configuration."""
    members: tuple[Member, ...]
    """In the order of their ids. Empty if this replica knows only later configurations."""
    next_id: int
    """The lowest id that no member ever had. An id is never given twice, because its former owner may have
    made promises that nobody else knows of."""
    from_slot: int = FIRST
    """The first slot for which it is in force."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of all members."""
        return tuple(member.id for member in self.members)

    @cached_property
    def voters(self) -> tuple[int, ...]:
        """The ids of the members that count towards quorums."""
        return tuple(member.id for member in self.members if member.votes)

    # Members of a next configuration.

    def with_learner(self, address: str) -> tuple[Member, ...]:
        """The members and a learner, which gets the next free id."""
        return (*self.members, Member(self.next_id, address, votes=False))

    def with_vote(self, id: int) -> tuple[Member, ...]:
        """The members, with a vote for this one."""
        return tuple(Member(each.id, each.address, each.votes or each.id == id) for each in self.members)

    def without(self, id: int) -> tuple[Member, ...]:
        """The members without this one."""
        return tuple(each for each in self.members if each.id != id)

    # From one configuration to the next.

    def followed_by(self, members: Sequence[Member]) -> Configuration:
        """The configuration that follows this one. Its first slot is not known until it is decided."""
        ordered = tuple(sorted(members, key=lambda member: member.id))
        return Configuration(self.version + 1, ordered, max(self.next_id, ordered[-1].id + 1))

    def objection(self, members: Sequence[Member]) -> str | None:
        """Why these can never be the next members; None if they can."""
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
    """The first configuration of a cluster: these servers, and all of them vote."""
    members = tuple(Member(id) for id in sorted(ids))
    return Configuration(0, members, max(ids, default=-1) + 1)


def in_force(configurations: Sequence[Configuration], slot: int) -> Configuration:
    """The configuration that decides a slot. `configurations` are those known, oldest first."""
    if len(configurations) == 1:  # Nearly always, and this is asked for every vote.
        return configurations[0]
    return next(
        (each for each in reversed(configurations) if each.from_slot <= slot),
        configurations[0],
    )


def since(configurations: Sequence[Configuration], slot: int) -> tuple[Configuration, ...]:
    """The configurations that are in force for this slot or for a later one."""
    first = in_force(configurations, slot)
    return tuple(each for each in configurations if each.from_slot >= first.from_slot)


def members_of(configurations: Sequence[Configuration]) -> tuple[int, ...]:
    """The ids of the members of any of these configurations, in order."""
    return tuple(sorted({id: None for each in configurations for id in each.ids}))


# A change as a command of the log.

CLUSTER = "//"
"""The client names of changes begin with this. No client has such a name."""


def change_to(configuration: Configuration, proposer: str) -> Command:
    """The command that asks for a configuration. The name of its proposer makes its id unique."""
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(configuration))
    return Command(CLUSTER + proposer, configuration.version, plain)


def is_change(command: Command) -> bool:
    """Whether a command changes the configuration and is not for the state machine."""
    return command.client.startswith(CLUSTER)


def changed_to(command: Command) -> Configuration | None:
    """The configuration that a command asks for; None if it is no change, or is malformed."""
    if not is_change(command):
        return None
    try:
        return msgspec.convert(command.op, Configuration)
    except msgspec.ValidationError:
        return None
