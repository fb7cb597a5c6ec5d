"""Whether the leader stays while the processors are overloaded: three replicas with the default times.

    python -m bench.stability [--busy N] [--seconds S]

Processes that only compute run beside a cluster that a few clients write to. Without any fault, the leader
should stay, and the round of its ballot should not rise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from bench import _load
from bench._town import Town, find_leader
from bench.beside_etcd import NODES, status_of

SESSIONS = 8
RATE = 50.0
"""Writes a second."""


def main() -> None:
    """Print the round of the ballot before and after, and how the writes went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", type=int, default=8 * (os.cpu_count() or 1), help="processes that compute")
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Town(Path(folder), NODES) as town:
        trio.run(measure, town, options.busy, options.seconds)


async def measure(town: Town, busy: int, seconds: float) -> None:
    """Write while the processors are busy."""
    leader = await find_leader(town)
    before = (await status_of(leader)).promised
    with computing(busy):
        writes = await _load.load(leader, _load.write, sessions=SESSIONS, seconds=seconds, rate=RATE)
        load = os.getloadavg()[0]
    after = (await status_of(leader)).promised
    print(f"{busy} busy processes on {os.cpu_count()} processors for {seconds:g} s; load average {load:.1f}")
    print(
        f"the ballot was {before} and is {after}; {'the leader stayed' if before == after else 'IT CHANGED'}"
    )
    waits = f"p50 {writes.quantile_ms(0.5):.0f} ms, p99 {writes.quantile_ms(0.99):.0f} ms"
    print(f"{len(writes.took_s)} writes; {waits}; {writes.failed} refused")


@contextmanager
def computing(count: int) -> Iterator[None]:
    """So many processes compute meanwhile."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
