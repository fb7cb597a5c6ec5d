"""Where the time goes, by layer: of a line over simulated TCP, and of a whole trial of Paxos.

    python -m bench.where [--lines 100000] [--trials 40]

A timer of CPU time looks every millisecond which function is at work.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType

from bench.sim import tcp_ring
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.workloads.decree import DECREE

LAYERS = (
    ("simulator: in place of Trio's loop, scopes and streams", ("/sim/runtimes/",)),
    ("Trio: tasks, scopes, nurseries", ("/trio/_core/", "/outcome/", "/sortedcontainers/", "<attrs ")),
    ("Trio: streams, channels, listeners", ("/trio/",)),
    (
        "simulator: links and connections",
        ("/sim/network/half_", "/sim/network/link", "/latency", "/sim/network/network"),
    ),
    ("simulator: sockets", ("/sim/network/",)),
    ("simulator: events and processes", ("/harness/sim/",)),
    ("harness: generator, clients, recording", ("/harness/",)),
    ("checkers", ("/checkers/", "/networkx/")),
    ("the program", ("/paxos_impl/", "/workloads/", "/bench/")),
)
"""Names, and what is in the paths of their files; the first that fits."""


def sampled(do: Callable[[], object]) -> tuple[float, Counter[str]]:
    """CPU seconds, and how often each layer was found at work."""
    found: Counter[str] = Counter()

    def look(number: int, frame: FrameType | None) -> None:
        while frame is not None and (layer := _layer(frame.f_code.co_filename)) is None:
            frame = frame.f_back  # The standard library works for whoever calls it.
        found[layer if frame is not None and layer is not None else "elsewhere"] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    began = time.process_time()
    try:
        do()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return time.process_time() - began, found


def _layer(path: str) -> str | None:
    path = path.replace(os.sep, "/")
    return next((layer for layer, parts in LAYERS if any(part in path for part in parts)), None)


def show(title: str, unit: str, each: float, found: Counter[str]) -> None:
    """Print a table of what one of them costs."""
    print(f"{each:8.1f} {unit}  {title}")
    for layer, hits in found.most_common():
        share = hits / found.total()
        print(f"{each * share:8.1f} {unit}  {share:4.0%}  {layer}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=40)
    options = parser.parse_args()
    took_s, found = sampled(lambda: tcp_ring(options.lines))
    show("a line over TCP", "us", took_s / options.lines * 1e6, found)
    plans = [plan_for(DECREE, seed=seed, nodes=5, nemesis="none") for seed in range(options.trials)]
    run(plans[0], workload=DECREE)
    took_s, found = sampled(lambda: [run(plan, workload=DECREE) for plan in plans])
    show("a trial of Paxos, 5 nodes", "ms", took_s / options.trials * 1e3, found)


if __name__ == "__main__":
    main()
