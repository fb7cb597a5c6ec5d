"""Agreement of model and simulation: the same plans of correct systems on both, and the cost of a trial.

python -m bench.agreement [--plans 10000] [--first 0]

Plans are drawn as a soak draws them, of all workloads that have bare nodes. A plan that only one of the two
accuses is a fault of the substrates, and is printed. The exit status is 1 then.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload, workload_names
from ostrakon.harness.plan import encode_plan
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.trial import run

SUBSTRATES: tuple[Literal["model", "sim"], ...] = ("model", "sim")


def workloads() -> Sequence[str]:
    """The workloads that run on both."""
    names = (name for name in workload_names() if not find_workload(name).is_live_only)
    return [name for name in names if find_workload(name).model is not None]


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    swarm = Swarm(workload=",".join(workloads()), substrate="model")
    verdicts: Counter[tuple[str, str]] = Counter()
    cost_s: dict[tuple[str, str], list[float]] = {}
    accused = 0
    for seed in range(options.first, options.first + options.plans):
        plan = swarm.plan(seed)
        told = []
        for substrate in SUBSTRATES:
            begun_s = time.process_time()
            trial = run(replace(plan, substrate=substrate))
            cost_s.setdefault((plan.workload, substrate), []).append(time.process_time() - begun_s)
            told.append(trial.valid)
            if trial.valid == "invalid":
                accused += 1
                print(f"{substrate} accuses a correct system: {trial.why}\n{encode_plan(plan).decode()}")
        verdicts[told[0], told[1]] += 1
    print(f"{options.plans:,} plans on both, {accused} accused; verdicts on model and sim:")
    for (on_model, in_simulation), count in sorted(verdicts.items()):
        print(f"{count:8,}  {on_model}, {in_simulation}")
    for name in sorted({name for name, _ in cost_s}):
        model, sim = (1000 * sum(cost_s[name, on]) / len(cost_s[name, on]) for on in SUBSTRATES)
        count = len(cost_s[name, "model"])
        costs = f"{model:7.1f} ms on the model, {sim:7.1f} ms in simulation"
        print(f"{name:14} {costs}: {sim / model:4.1f} x ({count})")
    return 1 if accused else 0


if __name__ == "__main__":
    sys.exit(main())
