"""What whole trials of Paxos cost, from plan to verdict, and what starting a command costs.

python -m bench.trial [--trials N]
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

from ostrakon.harness import simulation
from ostrakon.harness.plan import Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.resolution import resolve
from ostrakon.harness.sim import ChoiceLog
from ostrakon.harness.store import Store
from ostrakon.harness.trial import run
from ostrakon.workloads.decree import DECREE


def main() -> None:
    """Print a line for each figure; seconds are of this process's CPU time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    trials: int = parser.parse_args().trials
    for nodes, nemesis in ((3, "none"), (5, "none"), (5, "mixed")):
        plans = [plan_for(DECREE, seed=seed, nodes=nodes, nemesis=nemesis) for seed in range(trials)]
        sizes = [run(plan, workload=DECREE).recording.network["messages"] for plan in plans[:10]]
        ms = _ms(plans, lambda plan: run(plan, workload=DECREE))
        print(
            f"{ms:8.1f} ms  {1e3 / ms:4.0f}/s  a trial of {nodes} nodes, faults {nemesis}, "
            f"{median(sizes):.0f} messages"
        )
    plans = [plan_for(DECREE, seed=seed) for seed in range(trials)]
    with tempfile.TemporaryDirectory() as scratch:
        ms = _ms(plans, lambda plan: run(plan, workload=DECREE, store=Store(Path(scratch))))
        print(f"{ms:8.1f} ms  a trial of 5 nodes, faults none, kept in a run folder")
    _print_recording_costs([plan_for(DECREE, seed=seed, nodes=5, nemesis="none") for seed in range(6)])
    for command in ("ostrakon --help", "ostrakon list", "paxos --help"):
        print(f"{_start_up_ms(command):8.1f} ms  {command}, start to end")


def _print_recording_costs(plans: list[Plan], repeat: int = 10) -> None:
    """What keeping the history, the trace and the log of all choices adds to the same trials."""

    def unrecorded(plan: Plan) -> object:
        with (
            patch.object(simulation._Recorder, "op", lambda recorder, op: None),
            patch.object(simulation._Recorder, "event", lambda recorder, told: None),
        ):
            return simulation.simulate(resolve(plan, DECREE))

    ways: dict[str, Callable[[Plan], object]] = {
        "nothing": unrecorded,
        "history and trace": lambda plan: simulation.simulate(resolve(plan, DECREE)),
        "history, trace and choices": lambda plan: simulation.simulate(
            resolve(plan, DECREE), choice_log=ChoiceLog()
        ),
    }
    best = dict.fromkeys(ways, 0.0)
    for plan in plans:
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeat):  # In turns, so that whatever disturbs one way disturbs the others too.
            for way, do in ways.items():
                gc.collect()
                took[way].append(_ms([plan], do))
        for way in ways:
            best[way] += min(took[way]) / len(plans)
    for way in ways:
        more = best[way] / best["nothing"] - 1
        print(f"{best[way]:8.1f} ms  {more:+4.0%}  a trial of 5 nodes, recorded: {way}")


def _ms(plans: list[Plan], do: Callable[[Plan], object]) -> float:
    took = []
    for plan in plans:
        began = time.process_time()
        do(plan)
        took.append(time.process_time() - began)
    return median(took) * 1e3


def _start_up_ms(command: str) -> float:
    program, *arguments = command.split()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([Path(sys.executable).parent / program, *arguments], capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    return median(took) * 1e3


if __name__ == "__main__":
    main()
