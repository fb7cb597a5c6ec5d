"""The real core under a random schedule: messages lost, repeated, reordered; nodes crashing; slow disks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

import msgspec

from ostrakon.harness.history import Event, Trace
from ostrakon.paxos_impl.core import (
    Instance,
    Persist,
    ProposeRequested,
    Received,
    Rules,
    Send,
    SetTimer,
    Started,
)
from ostrakon.paxos_impl.core import effect as effects
from ostrakon.paxos_impl.core.event import Timer, TimerFired
from ostrakon.paxos_impl.core.trace import trace_event

RARE = 0.03


def random_trace(seed: int, rules: Rules | None = None, *, nodes: int = 3, steps: int = 160) -> Trace:
    """What happens in so many steps of a random schedule, equal for equal seeds."""
    world = _World(Random(seed), rules or Rules(), tuple(range(1, nodes + 1)))
    for step in range(steps):
        world.act(step)
    return tuple(world.trace)


class _Node:
    def __init__(self, instance: Instance, disk: effects.Durable) -> None:
        self.instance, self.disk = instance, disk
        self.up, self.seq, self.synced = True, 0, 0
        self.written: deque[Persist] = deque()
        self.held: deque[effects.Effect] = deque()
        self.timers: dict[Timer, None] = {}


class _World:
    def __init__(self, rng: Random, rules: Rules, members: tuple[int, ...]) -> None:
        self.rng, self.rules, self.members = rng, rules, members
        self.trace: list[Event] = []
        self.flights: list[tuple[int, int, Send]] = []
        self.nodes: dict[int, _Node] = {}
        for member in members:
            self.start(member, 0, effects.Durable())

    def start(self, member: int, incarnation: int, disk: effects.Durable) -> None:
        instance = Instance.recover(
            member, self.members, incarnation=incarnation, state=disk, rules=self.rules
        )
        self.nodes[member] = _Node(instance, disk)
        self.step(member, Started())

    def act(self, number: int) -> None:
        """One random thing happens; most often a message arrives."""
        member = self.rng.choice(self.members)
        node = self.nodes[member]
        if not node.up:
            if self.rng.random() < 0.5:
                self.start(member, node.instance.incarnation + 1, node.disk)
        elif number < 2 or self.rng.random() < RARE:
            self.step(member, ProposeRequested(number, f"v{number}"))
        elif self.rng.random() < RARE:
            node.up = False
        elif node.written and self.rng.random() < 0.4:
            self.sync(member)
        elif node.timers and self.rng.random() < 0.15:
            timer = self.rng.choice(sorted(node.timers))
            del node.timers[timer]
            self.step(member, TimerFired(timer))
        elif self.flights:
            self.deliver()

    def deliver(self) -> None:
        at = self.rng.randrange(len(self.flights)) if self.rng.random() < 0.5 else 0
        sender, to, send = self.flights[at]
        fate = self.rng.random()
        if fate > 0.1:
            del self.flights[at]
        if fate < 0.9 and self.nodes[to].up:
            self.step(to, Received(send.message, sender, send.id))

    def step(self, member: int, event: object) -> None:
        node = self.nodes[member]
        node.instance, wanted = node.instance.step(event)  # type: ignore[arg-type]
        for effect in wanted:
            match effect:
                case Persist():
                    node.written.append(effect)
                case SetTimer(timer):
                    node.timers[timer] = None
                case _ if (getattr(effect, "after", None) or 0) > node.synced:
                    node.held.append(effect)
                case _:
                    self.emit(member, effect)
        if node.written and self.rng.random() < 0.7:
            self.sync(member)

    def sync(self, member: int) -> None:
        node = self.nodes[member]
        node.disk, node.synced = node.written[-1].state, node.written[-1].n
        node.written.clear()
        while node.held:
            self.emit(member, node.held.popleft())

    def emit(self, member: int, effect: effects.Effect) -> None:
        node = self.nodes[member]
        if (event := trace_event(effect, member, node.instance.incarnation, node.seq)) is not None:
            node.seq += 1
            self.trace.append(Event(time=len(self.trace), **msgspec.structs.asdict(event)))
        if isinstance(effect, Send):
            self.flights.extend((member, to, effect) for to in effect.to)


def first_seed(holds: Callable[[Trace], bool], traces: Callable[[int], Trace], limit: int) -> int | None:
    """The first seed below the limit whose trace is such."""
    return next((seed for seed in range(limit) if holds(traces(seed))), None)
