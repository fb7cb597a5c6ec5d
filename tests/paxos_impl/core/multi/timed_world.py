"""A cluster of replicas whose clocks go on, each at its own rate, while the test chooses what happens."""

from __future__ import annotations

import random

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    LOG_RULES,
    ClockReading,
    Effect,
    HoldsLease,
    Leads,
    LeaseConfig,
    LogRules,
    Query,
    Send,
)
from ostrakon.paxos_impl.core.multi.message import Promise
from tests.paxos_impl.core.multi.log_world import LogWorld

TERMS = LeaseConfig(length_s=1.0, drift=0.2)


class TimedWorld(LogWorld):
    """Whenever a leader gets a lease or reads by it, no quorum may have promised a higher ballot."""

    def __init__(
        self,
        members: tuple[int, ...] = (1, 2, 3),
        rules: LogRules = LOG_RULES,
        lease_config: LeaseConfig | None = TERMS,
    ) -> None:
        self.true_s = 0.0
        self.rates = dict.fromkeys(members, 1.0)
        self.shown = {member: ClockReading(100.0 * member, 1e9) for member in members}
        self.promised: dict[int, Ballot] = {}
        """The highest ballot that each has promised so that others know."""
        self.may_suspend = False
        """Whether machines are suspended, or else wall clocks are set: both at once deceive both clocks."""
        self.lease_reads = 0
        self.led: list[Ballot] = []
        super().__init__(members, rules, lease_config=lease_config)

    def now(self, node: int) -> ClockReading:
        return self.shown[node]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.true_s += seconds
        for node, (shown_s, wall_s) in self.shown.items():
            passed_s = seconds * self.rates[node]
            self.shown[node] = ClockReading(shown_s + passed_s, wall_s + passed_s)

    def suspend(self, node: int, seconds: float) -> None:
        """Let time pass without a node, and without its monotonic clock."""
        before = self.shown[node].monotonic_s
        self.wait(seconds)
        self.shown[node] = ClockReading(before, self.shown[node].wall_s)

    def set_wall(self, node: int, seconds: float) -> None:
        """Set a wall clock forward, or back."""
        self.shown[node] = ClockReading(self.shown[node].monotonic_s, self.shown[node].wall_s + seconds)

    def _do(self, node: int, effect: Effect) -> None:
        super()._do(node, effect)
        match effect:
            case Leads(ballot):
                self.led.append(ballot)
            case HoldsLease(ballot=ballot):
                self._require_leadership(ballot)
            case Query(how="lease", ballot=Ballot() as ballot):
                self.lease_reads += 1
                self._require_leadership(ballot)

    def _launch(self, node: int, send: Send) -> None:
        super()._launch(node, send)
        if isinstance(send.message, Promise):
            self.promised[node] = max(send.message.ballot, self.promised.get(node, send.message.ballot))

    def _require_leadership(self, ballot: Ballot) -> None:
        higher = [node for node, promised in self.promised.items() if promised > ballot]
        majority = len(self.members) // 2 + 1
        assert len(higher) < majority, f"{higher} promised more than {ballot}, which holds a lease"


def pass_time(world: TimedWorld, rng: random.Random, rounds: int) -> None:
    """In each round somebody, a leader mostly, is cut off for about a lease; the others may miss it."""
    world.may_suspend = rng.random() < 0.5
    for _ in range(rounds):
        away = rng.choice((*world.leaders, *world.leaders, rng.choice(world.members), None))
        for _ in range(rng.randrange(8)):
            world.wait(rng.choice((0.05, 0.2, 0.5)) * rng.random())
            for node in world.members:
                if node != away and world.nodes[node].up and rng.random() < 0.3:
                    world.fire(node, "election")
            for _ in range(rng.randrange(10)):
                _do_something(world, rng, away)


def _do_something(world: TimedWorld, rng: random.Random, away: int | None) -> None:
    node, leaders = rng.choice(world.members), world.leaders
    match rng.randrange(20):
        case 0:
            world.rates[node] = rng.choice((1 - TERMS.drift, 1 + TERMS.drift))
        case 1 if leaders and world.may_suspend:
            world.suspend(rng.choice(leaders), rng.uniform(0, TERMS.length_s))
        case 2 if leaders and not world.may_suspend:
            world.set_wall(rng.choice(leaders), rng.uniform(-1, 0.2))
        case 3 if node != away and world.nodes[node].up and rng.random() < 0.3:
            world.crash(node)
            world.restart(node)
        case 4 if world.nodes[node].up and rng.random() < 0.1:
            world.crash(node)
        case 5 | 6 if not world.nodes[node].up:
            world.restart(node)
        case 7 | 8 if leaders:
            world.fire(rng.choice(leaders), "heartbeat")
        case 9 | 10 | 11 | 12 if leaders:
            world.read(rng.choice(leaders))
        case 13 if leaders:
            world.submit(rng.choice(leaders), world.requests)
        case _:
            for _ in range(rng.randrange(12)):
                reachable = [flight for flight in world.flights if away not in (flight.sender, flight.to)]
                if reachable:
                    world.deliver(reachable[0] if rng.random() < 0.95 else rng.choice(reachable))
