"""What whole trials of Paxos cost, from plan to verdict, and what starting a command costs.

python -m bench.trial [--trials N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from harness.plan import Plan
from harness.planning import plan_for
from harness.store import Store
from harness.trial import run
from workloads.decree import DECREE


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
    for command in ("ostrakon --help", "ostrakon list", "paxos --help"):
        print(f"{_start_up_ms(command):8.1f} ms  {command}, start to end")


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
