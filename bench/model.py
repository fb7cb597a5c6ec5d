"""The model: how fast the core and the heap alone are, trials of the decree and of the store on the model and
in simulation, small worlds.

python -m bench.model [--trials N]
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any, Literal, Protocol

from msgspec.structs import replace

from ostrakon.harness.model import Size
from ostrakon.harness.model.heap import Heap
from ostrakon.harness.plan import Plan
from ostrakon.harness.resolution import resolve
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.trial import run
from ostrakon.paxos_impl.core import (
    Accepted,
    Effect,
    Event,
    Instance,
    Nack,
    Prepare,
    Promise,
    Propose,
    ProposeRequested,
    Received,
    Send,
    trace_event,
)
from ostrakon.paxos_impl.core.transition import Transition
from ostrakon.workloads.decree import run_on_model
from ostrakon.workloads.small_world.exploration import explore_world

WORLDS = (Size(), Size(duplicates=True), Size(crashes=1), Size(timeouts=1), Size(proposers=1, acceptors=5))
NODES = (1, 2, 3, 4, 5)
SUBSTRATES: tuple[Literal["model", "sim"], ...] = ("model", "sim")


class Stepping(Protocol):
    """What takes an event and says what it wants done; an instance of the core, or less."""

    def step(self, event: Event) -> tuple[Any, list[Effect]]:
        """Itself after the event, and effects."""


class Deaf:
    """Does nothing about any event: what is left is what calling it takes."""

    def step(self, event: Event) -> tuple[Deaf, list[Effect]]:
        """As it was."""
        return self, []


class Knowing:
    """Tells events apart as an instance does, and does nothing about them."""

    def step(self, event: Event) -> tuple[Knowing, list[Effect]]:
        """As it was."""
        match event:
            case Received(message, sender):
                if sender in NODES and message.slot == 0:
                    match message:
                        case Prepare() | Propose():
                            return self, []
                        case Promise() | Nack():
                            return self, []
                        case Accepted():
                            return self, []
        return self, []


class Turning:
    """Makes a turn and an instance for every event, and does nothing in between."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def step(self, event: Event) -> tuple[Turning, list[Effect]]:
        """As it was."""
        it, cause = self._instance, event.id if isinstance(event, Received) else None
        turn = Transition(
            it,
            cause,
            it.rules,
            it.acceptor,
            it.proposer,
            it.learner,
            it.waiting,
            it.own_ballot,
            it.pulls,
            it.persists,
            it.sends,
        )
        Instance(
            it.server_id,
            it.members,
            it.incarnation,
            turn.acceptor,
            turn.proposer,
            turn.learner,
            turn.waiting,
            turn.own_ballot,
            turn.pulls,
            turn.persists,
            turn.sends,
            it.rules,
        )
        return self, turn.effects


def decree() -> list[tuple[int, Event]]:
    """All events of five instances that decide, in order, every message arriving at once."""
    handled: list[tuple[int, Event]] = []
    queue: deque[tuple[int, Event]] = deque([(1, ProposeRequested(1, "v"))])
    instances = {node: Instance.recover(node, NODES) for node in NODES}
    while queue:
        node, event = queue.popleft()
        handled.append((node, event))
        instances[node], effects = instances[node].step(event)
        for effect in effects:
            if isinstance(effect, Send):
                queue.extend((to, Received(effect.message, node, effect.id)) for to in effect.to)
    return handled


def stepped(make: Callable[[int], Stepping], *, traced: bool = False) -> Callable[[], int]:
    """Lets five nodes that are made so handle the same events; returns how many."""
    events = decree()

    def act() -> int:
        nodes = {node: make(node) for node in NODES}
        for node, event in events:
            nodes[node], effects = nodes[node].step(event)
            if traced:
                for effect in effects:
                    trace_event(effect, node, 0, 0)
        return len(events)

    return act


def heaped() -> int:
    """A heap alone: so many calls that do nothing, a few of them due at any time."""
    heap, calls = Heap(), 1000

    def call() -> None:
        if heap.happened <= calls:
            heap.call_in(1, call)

    for _ in range(20):
        heap.call_in(1, call)
    heap.run(calls)
    return heap.happened


def rate(act: Callable[[], int], seconds: float) -> float:
    """How many events a second are handled, in the best of many goes: what else runs disturbs that least."""
    act()
    ends, best = time.process_time() + seconds, 0.0
    while (began := time.process_time()) < ends:
        handled = sum(act() for _ in range(20))
        best = max(best, handled / (time.process_time() - began))
    return best


STEPS: Mapping[str, Callable[[], int]] = {
    "heap alone": heaped,
    "core, events do nothing": stepped(lambda node: Deaf()),
    "core, events are told apart": stepped(lambda node: Knowing()),
    "core, instances made anew": stepped(lambda node: Turning(Instance.recover(node, NODES))),
    "core": stepped(lambda node: Instance.recover(node, NODES)),
    "core, traced": stepped(lambda node: Instance.recover(node, NODES), traced=True),
}
"""What an event costs, from what nothing can do without up to all of it."""


def on_model(plan: Plan) -> int:
    """Runs a plan without judging it; returns how many events nodes and clients recorded."""
    recording = run_on_model(resolve(plan), None)
    return len(recording.trace) + len(recording.history)


def trials(plans: list[Plan], seconds: float, act: Callable[[Plan], object]) -> Iterator[float]:
    """How long each trial takes, in seconds."""
    ends = time.process_time() + seconds
    for plan in plans:
        began = time.process_time()
        act(plan)
        yield time.process_time() - began
        if time.process_time() > ends:
            return


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5.0, help="at most, of CPU, for each line")
    chosen = parser.parse_args()
    for name, act in STEPS.items():
        print(f"{name:<34}{rate(act, min(1.0, chosen.seconds)):>12,.0f} events/s")
    swarm = Swarm(workload="decree")
    plans = [replace(swarm.plan(seed), substrate="model") for seed in range(chosen.trials)]
    recorded = 0

    def count(plan: Plan) -> None:
        nonlocal recorded
        recorded += on_model(plan)

    took = list(trials(plans, chosen.seconds, count))
    rates = len(took) / sum(took), recorded / sum(took)
    print(f"{'model, not judged':<34}{rates[0]:>12,.0f} trials/s {rates[1]:>10,.0f} records/s")
    for name, substrate in (("model, judged", "model"), ("sim, judged", "sim")):
        same = [replace(plan, substrate=substrate) for plan in plans]
        took = list(trials(same, chosen.seconds, run))
        print(f"{name:<34}{len(took) / sum(took):>12,.0f} trials/s {median(took) * 1e3:>10.2f} ms median")
    for workload in ("register", "membership"):
        swarm = Swarm(workload=workload)
        per_cpu_s: dict[str, float] = {}
        for name in SUBSTRATES:
            same = [replace(swarm.plan(seed), substrate=name) for seed in range(chosen.trials)]
            run(same[0])  # What is imported when first needed is no part of a trial.
            took = list(trials(same, 2 * chosen.seconds, run))
            per_cpu_s[name] = len(took) / sum(took)
            print(
                f"{workload + ' on ' + name:<34}{per_cpu_s[name]:>12,.1f} trials/s of CPU, {len(took)} trials"
            )
        ratio = per_cpu_s["model"] / per_cpu_s["sim"]
        print(f"{workload + ', model to sim':<34}{ratio:>12.1f} times as many")
    for size in WORLDS:
        began = time.process_time()
        found = explore_world(size)
        cpu_s = time.process_time() - began
        name = ", ".join(
            f"{field} {getattr(size, field)}" for field in size.__struct_fields__ if getattr(size, field)
        )
        states, transitions = found.exploration.states, found.exploration.transitions
        print(f"{states:>8,} states {transitions:>9,} transitions {cpu_s:>6.2f} s  {found.valid}: {name}")


if __name__ == "__main__":
    main()
