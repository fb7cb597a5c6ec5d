"""One step of a replica in the making: its parts, to be replaced, and the effects so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.configuration import Configuration, members_of
from ostrakon.paxos_impl.core.multi.effect import Configured, Effect, Fact, Persist, PersistLazily, Send
from ostrakon.paxos_impl.core.multi.lease import ClockReading
from ostrakon.paxos_impl.core.multi.message import Message
from ostrakon.paxos_impl.core.multi.phase import Phase

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.multi.replica import Replica


class Transition:
    """What a step changes; everything else it reads from `before`. Used by one call of `Replica.step`."""

    __slots__ = (
        "applied",
        "attempts",
        "before",
        "cause",
        "commit_index",
        "configurations",
        "deferred_to",
        "effects",
        "fetching",
        "grant",
        "highest",
        "images",
        "is_leaderless",
        "leader",
        "lease_config",
        "log",
        "me",
        "members",
        "now",
        "own_ballot",
        "persists",
        "phase",
        "pre_votes",
        "promised",
        "queue",
        "rules",
        "saving",
        "sends",
        "waiting",
    )

    def __init__(self, before: Replica, cause: str | None, now: ClockReading) -> None:
        self.before, self.cause, self.rules, self.now = before, cause, before.rules, now
        self.lease_config, self.grant = before.lease_config, before.grant
        self.me, self.members, self.configurations = before.server_id, before.members, before.configurations
        self.promised, self.log = before.promised, before.log
        self.commit_index, self.applied = before.commit_index, before.applied
        self.phase: Phase = before.phase
        self.leader, self.is_leaderless, self.highest = before.leader, before.is_leaderless, before.highest
        self.own_ballot, self.pre_votes = before.own_ballot, before.pre_votes
        self.attempts, self.deferred_to = before.attempts, before.deferred_to
        self.queue, self.waiting = before.queue, before.waiting
        self.images, self.saving, self.fetching = before.images, before.saving, before.fetching
        self.persists, self.sends = before.persists, before.sends
        self.effects: list[Effect] = []

    def end(self) -> Replica:
        """The replica after the step."""
        return msgspec.structs.replace(
            self.before,
            members=self.members,
            configurations=self.configurations,
            promised=self.promised,
            log=self.log,
            commit_index=self.commit_index,
            applied=self.applied,
            phase=self.phase,
            leader=self.leader,
            is_leaderless=self.is_leaderless,
            attempts=self.attempts,
            deferred_to=self.deferred_to,
            highest=self.highest,
            own_ballot=self.own_ballot,
            pre_votes=self.pre_votes,
            grant=self.grant,
            queue=self.queue,
            waiting=self.waiting,
            images=self.images,
            saving=self.saving,
            fetching=self.fetching,
            persists=self.persists,
            sends=self.sends,
        )

    @property
    def others(self) -> tuple[int, ...]:
        """All members but this one."""
        return tuple(member for member in self.members if member != self.me)

    def configuration(self, slot: int) -> Configuration:
        """Who decides this slot, as far as is known."""
        return self.rules.in_force(self.configurations, slot)

    def is_quorum(self, voters: tuple[int, ...], slot: int) -> bool:
        """Whether these are enough of those who decide this slot."""
        configuration = self.configuration(slot)
        return self.rules.is_chosen(self.rules.counted(configuration, voters), len(configuration.voters))

    def is_bound(self, candidate: int) -> bool:
        """Whether this replica has granted somebody that it promises nothing to this candidate."""
        return self.rules.is_bound(self.grant, candidate, self.now)

    @property
    def has_vote(self) -> bool:
        """Whether this replica's vote counts in the first slot that is open."""
        return self.me in self.configuration(self.commit_index + 1).voters

    def configure(self, configurations: tuple[Configuration, ...]) -> None:
        """These are the configurations for the slots that are still open."""
        for configuration in configurations:
            if configuration not in self.configurations and configuration.members:
                self.do(Configured(configuration))
        self.configurations = configurations
        self.members = members_of(configurations)

    def do(self, effect: Effect) -> None:
        """Have this done."""
        self.effects.append(effect)

    def persist(self, fact: Fact) -> None:
        """Whatever is sent from now on rests on this."""
        remembered = self.rules.remembered(fact)
        if remembered is not None:
            self.persists += 1
            self.do(Persist(self.persists, remembered))

    def note(self, fact: Fact) -> None:
        """Write this down, some time."""
        self.do(PersistLazily(fact))

    def send(self, to: tuple[int, ...], message: Message, about: Batch | None = None) -> None:
        """Send a message to these members, once what it may rest on is durable."""
        if to:
            self.sends += 1
            id = f"n{self.me}.{self.before.incarnation}.{self.sends}"
            self.do(Send(to, message, id, self.cause, self.rules.release(self.persists), about))
