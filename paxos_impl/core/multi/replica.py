"""One replica of the log, proposer, acceptor and learner of every slot, as a pure state machine.

What must always hold: a message leaves a replica only once the facts that it rests on are durable, because it
waits for the last `Persist` before it; what a replica has learned never changes; and slots are executed in
order, each once.
"""

from __future__ import annotations

from ostrakon.paxos_impl.core.multi.configuration import Configuration, founded_by, members_of
from ostrakon.paxos_impl.core.multi.dispatch import dispatch, is_settled, only_announces
from ostrakon.paxos_impl.core.multi.effect import Effect
from ostrakon.paxos_impl.core.multi.event import Event, Received
from ostrakon.paxos_impl.core.multi.lease import ClockReading, LeaseConfig
from ostrakon.paxos_impl.core.multi.recovery import Recovered
from ostrakon.paxos_impl.core.multi.rules import LOG_RULES, LogRules
from ostrakon.paxos_impl.core.multi.snapshot import Compaction
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition


class Replica(State, frozen=True, gc=False):
    """All that one replica knows of the log. Make one with `recover`, then step it with `Started()`.

    >>> replica = Replica.recover(1, (1, 2, 3))
    >>> replica, effects = replica.step(Started())
    """

    @classmethod
    def recover(
        cls,
        server_id: int,
        founders: Configuration | tuple[int, ...],
        *,
        incarnation: int = 0,
        state: Recovered = Recovered(),  # noqa: B008 - it is frozen
        compaction: Compaction = Compaction(),  # noqa: B008
        lease_config: LeaseConfig | None = None,
        rules: LogRules = LOG_RULES,
    ) -> Replica:
        """A replica at start-up, with what its disk remembers.

        `founders` are the members that the log begins with, or their ids. A replica that joins later may not
        know them, and learns them from the log.
        """
        if isinstance(founders, tuple):
            assert len(set(founders)) == len(founders), f"{founders} would count someone twice"
            founders = founded_by(founders)
        first = state.image
        configurations = (founders,) if first is None else first.snapshot.configurations
        return cls(
            server_id,
            members_of(configurations),
            configurations,
            incarnation,
            promised=state.promised,
            log=state.log,
            commit_index=state.commit_index,
            applied=state.log.base,
            images=() if first is None else (first,),
            saving=state.log.base,
            compaction=compaction,
            lease_config=lease_config,
            rules=rules,
        )

    @property
    def is_settled(self) -> bool:
        """Whether the event `Drained` would change nothing and have no effect, so that it can be left out."""
        return is_settled(self)

    @property
    def only_announces(self) -> bool:
        """Whether the event `Drained` would only tell the followers the commit index, which may wait."""
        return only_announces(self)

    def step(
        self,
        event: Event,
        now: ClockReading = ClockReading(),  # noqa: B008
    ) -> tuple[Replica, list[Effect]]:
        """The replica after an event, and what it wants done, in order.

        `now` was read from the clocks after the event had come in.
        """
        cause = event.id if isinstance(event, Received) else None
        after = dispatch(Transition(self, cause, now), event)
        assert isinstance(after.state, Replica)
        return after.state, list(after.effects)
