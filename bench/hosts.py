"""Real databases on hosts: start of a cluster, operations a second, a whole test with its page.

    python -m bench.hosts [--system etcd] [--seconds S]

It needs what `ostrakon test SYSTEM` needs: see docs/hosts.md. How soon links are cut and mended is measured
by packets in tests/hosts/test_bridge.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.history import History
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run

NODES = (3, 5)
SHORT_S, LOAD_S, WHOLE_S = 1.0, 10.0, 60.0
CLIENTS, AS_FAST_AS_POSSIBLE = 30, 100_000.0


def main() -> int:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", default="etcd")
    parser.add_argument("--seconds", type=float, default=WHOLE_S, help="time limit of the whole test")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            for nodes in NODES:
                _short(given.system, nodes)
                _load(given.system, nodes)
            _whole(given.system, given.seconds, Store(Path(folder)))
        except BadPlan as error:
            print(f"not measured: {error}")
    return 0


def _short(system: str, nodes: int) -> None:
    """All that a trial takes besides its own time is start, the rest of the last operations, and the end."""
    began = time.monotonic()
    trial = _run(system, nodes=nodes, time_limit_s=SHORT_S)
    wall_s = time.monotonic() - began
    first_s = next(op.time for op in trial.history if op.type == "ok") / 1e9
    beside_s = wall_s - trial.recording.virtual_s
    print(
        f"{system}, {nodes} nodes: start and end together {beside_s:.2f} s; the first operation is "
        f"acknowledged {first_s:.3f} s after all nodes serve"
    )


def _load(system: str, nodes: int) -> None:
    trial = _run(system, nodes=nodes, time_limit_s=LOAD_S, concurrency=CLIENTS, rate=AS_FAST_AS_POSSIBLE)
    completed = _within(trial.history, LOAD_S)
    print(
        f"{system}, {nodes} nodes, {CLIENTS} clients: {completed / LOAD_S:,.0f} operations/s; {trial.valid}"
    )


def _whole(system: str, seconds: float, store: Store) -> None:
    began = time.monotonic()
    trial = _run(system, store=store, nemesis="partition,pause,kill", time_limit_s=seconds)
    wall_s = time.monotonic() - began
    assert trial.folder is not None
    assert (trial.folder / "report.html").exists()
    print(f"{system}, a test of {seconds:g} s with faults, verdict and page: {wall_s:.1f} s; {trial.valid}")


def _run(system: str, *, store: Store | None = None, nemesis: str = "none", **fields: Any) -> Trial:
    plan = plan_for(find_workload(system), seed=1, nemesis=nemesis, **fields)
    return run(plan, store=store, report=store is not None)


def _within(history: History, seconds: float) -> int:
    """Operations of clients that completed in so many seconds, well or not."""
    return sum(1 for op in history.clients if op.type in ("ok", "fail") and op.time < seconds * 1e9)


if __name__ == "__main__":
    sys.exit(main())
