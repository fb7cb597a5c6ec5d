"""The model: how fast the bare core steps, trials run on it and in simulation, and small worlds are explored.

python -m bench.model [--trials N]
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterator
from statistics import median

from msgspec.structs import replace

from harness.catalogue import find_workload
from harness.model import Size
from harness.plan import Plan
from harness.search.swarm import Swarm
from harness.trial import run
from paxos_impl.core import Event, Instance, ProposeRequested, Received, Send
from workloads.decree import run_on_model
from workloads.small_world.exploration import explore_world

WORLDS = (Size(), Size(duplicates=True), Size(crashes=1), Size(timeouts=1), Size(proposers=1, acceptors=5))
NODES = (1, 2, 3, 4, 5)


def decide() -> int:
    """Five instances decide, every message arriving at once; returns how many events they handled."""
    instances = {node: Instance.recover(node, NODES) for node in NODES}
    events: deque[tuple[int, Event]] = deque([(1, ProposeRequested(1, "v"))])
    steps = 0
    while events:
        node, event = events.popleft()
        instances[node], effects = instances[node].step(event)
        steps += 1
        for effect in effects:
            if isinstance(effect, Send):
                events.extend((to, Received(effect.message, node, effect.id)) for to in effect.to)
    return steps


def core_steps(seconds: float) -> tuple[int, float]:
    """How many events the bare core handles, and in how much time."""
    began, steps = time.process_time(), 0
    while time.process_time() - began < seconds:
        steps += decide()
    return steps, time.process_time() - began


def on_model(plan: Plan) -> int:
    """Runs a plan without judging it; returns how many events nodes and clients recorded."""
    recording = run_on_model(plan, find_workload(plan.workload), None, None)
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
    steps, cpu_s = core_steps(min(2.0, chosen.seconds))
    print(f"{'core alone':<34}{steps / cpu_s:>12,.0f} events/s (to reach: 500,000)")
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
