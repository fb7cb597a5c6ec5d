"""The examples: CPU time until a soak has saved a failure of each planted bug, from the start of the command.

    python -m bench.examples [--campaigns 3] [--only raft] [--cpu 60]

A campaign is `ostrakon soak PROGRAM --bug NAME --workers 1` from a first seed of its own.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ostrakon.harness.catalogue import find_workload

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAMS = {
    "backup_store": "test_store.py::STORE",
    "lease_server": "test_leases.py::LEASES",
    "job_journal": "test_journal.py::JOBS",
    "raft": "test_raft.py::RAFT",
    "two_phase_commit": "test_commit.py::COMMIT",
}
FAULTS = {
    "wall-clock": "kill,clock_jump",
    "no-log-match": "partition:leader,kill:leader",
    "anonymous-acks": "partition,kill",
}
"""What a soak is told with `--nemesis`, as the examples' own tests are."""
FAR_APART = 100_000
LOOK_EVERY_S = 0.1


def main() -> int:
    """Returns 1 if a soak did not find a bug in time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--campaigns", type=int, default=1, help="from how many first seeds")
    parser.add_argument("--only", default="", help="part of `PROGRAM BUG`")
    parser.add_argument("--cpu", type=float, default=60.0, help="CPU seconds after which a campaign ends")
    given = parser.parse_args()
    missed = 0
    for program, bug in planted():
        if given.only not in f"{program} {bug}":
            continue
        costs = [found_after(program, bug, number, given.cpu) for number in range(given.campaigns)]
        found = [cost for cost in costs if cost is not None]
        missed += len(found) < len(costs)
        told = f"median {median(found):5.1f} s, most {max(found):5.1f} s" if found else ""
        print(f"  {program:<18}{bug:<22}{len(found)} of {len(costs)}  {told}", flush=True)
    return 1 if missed else 0


def planted() -> Iterator[tuple[str, str]]:
    """Each example with each of its bugs."""
    for program, reference in PROGRAMS.items():
        for bug in find_workload(f"{EXAMPLES / program / reference}").bugs:
            yield program, bug


def found_after(program: str, bug: str, number: int, cpu_s_max: float) -> float | None:
    """The CPU seconds of a soak until it has saved a failure; None if it takes longer than allowed."""
    with TemporaryDirectory() as store:
        command = [
            *(
                sys.executable,
                "-m",
                "ostrakon.harness.cli",
                "soak",
                f"{EXAMPLES / program / PROGRAMS[program]}",
            ),
            *("--bug", bug, "--workers", "1", "--seed", str(number * FAR_APART), "--store", store),
            *(("--nemesis", FAULTS[bug]) if bug in FAULTS else ()),
        ]
        soak = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while (cpu_s := cpu_of_family(soak.pid)) < cpu_s_max:
                if soak.poll() is not None:
                    raise RuntimeError(f"{' '.join(command)} ended with status {soak.returncode}")
                if any(Path(store).glob("*/*/results.json")):
                    return cpu_s
                time.sleep(LOOK_EVERY_S)
            return None
        finally:
            soak.send_signal(signal.SIGINT)
            soak.wait()


def cpu_of_family(root: int) -> float:
    """The CPU seconds of a process, of all its descendants, and of their children that have ended."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(file.parent.name)
        parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
