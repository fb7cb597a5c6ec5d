"""Searching: what convictions cost, how small failures get, how fast campaigns are on more than one worker.

    python -m bench.search [--campaigns 3] [--only convictions]

A campaign hunts every seeded bug of the decree from a first seed of its own; figures are medians over
campaigns, in seconds of CPU. With three campaigns all of it takes a quarter of an hour on one core, with
twenty a night.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.plan import Plan
from ostrakon.harness.search.allowance import Allowance
from ostrakon.harness.search.benchmark import run_benchmark
from ostrakon.harness.search.campaign import Campaign
from ostrakon.harness.search.complexity import NODES_READABLE, is_readable, proposals
from ostrakon.harness.search.conviction import Hunt, Hunted, hunt
from ostrakon.harness.search.failure import simplest_alike
from ostrakon.harness.search.job import warm_modules
from ostrakon.harness.search.outcome import load_run
from ostrakon.harness.search.soak import Limits, Progress, Workers, soak
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import FailureGroup

WORKLOAD = "decree"
BUGS = tuple(find_workload(WORKLOAD).bugs)
FORGOTTEN = "promise-not-persisted"
FAR_APART = 1_000_000
SHRINKING_S = 10.0
"""Within how much CPU time every seeded bug should shrink to a plan that a person reads in a minute."""
NODES_NEEDED = {("count-replies", "P9 proposal without a quorum"): 4}
"""How many nodes a way to fail takes, where three do not show it. A proposer's own promise comes first, so of
three nodes any other makes a quorum: `ostrakon explore --bug count-replies --property P9` finds nothing among
three acceptors, with `--duplicates` or `--timeouts 1`, and among four a story of four steps or six."""


def convictions(campaigns: int, store: Path) -> None:
    """What it costs to convict every bug, stopped at the first violation that the trace shows."""
    jobs = [hunt_for(bug, number, store) for bug in BUGS for number in range(campaigns)]
    rows = run_benchmark(jobs, workers=1, warm=warm_modules(WORKLOAD)).rows
    for row in rows:
        found = f"{row.convicted:>3} of {row.hunts:<3}"
        print(f"  {row.bug:<30}{found}{row.trials:>8,.0f} trials{row.cpu_s:>9.2f} s")
    (forgotten,) = (row for row in rows if row.bug == FORGOTTEN)
    whole, found_all = sum(row.cpu_s for row in rows) / 60, sum(row.is_convicted for row in rows)
    print(f"  all bugs: {whole:.1f} min of CPU (to reach: 10), {found_all} of {len(rows)} in every campaign")
    print(f"  {FORGOTTEN} by trace: {forgotten.trials:,.0f} trials (to reach: 20)")


def disagreement(campaigns: int, store: Path) -> None:
    """What it costs those who know less to convict an acceptor that forgets its bare promises."""
    jobs = [
        hunt_for(FORGOTTEN, number, store, substrate=substrate, all_oracles=True)
        for substrate in ("sim", "model")
        for number in range(campaigns)
    ]
    for substrate, some in (("sim", jobs[:campaigns]), ("model", jobs[campaigns:])):
        hunted = [hunt(job) for job in some]
        told = (oracle_figure(hunted, oracle) for oracle in ("chosen", "history"))
        print(f"  {FORGOTTEN} on {substrate}: " + "; ".join(told) + " (to reach: 60 s)")


def oracle_figure(hunted: list[Hunted], oracle: str) -> str:
    """The median cost of convicting by one oracle, of the campaigns that did."""
    costs = [cost for each in hunted for name, cost in each.costs.items() if name == oracle]
    if not costs:
        return f"{oracle}: not convicted in {len(hunted)} campaigns"
    cpu_s, trials = median(cost.cpu_s for cost in costs), median(cost.trials for cost in costs)
    return f"{oracle}: {len(costs)} of {len(hunted)}, {trials:,.0f} trials, {cpu_s:.1f} s"


def hunt_for(
    bug: str, number: int, store: Path, *, substrate: str = "sim", all_oracles: bool = False
) -> Hunt:
    """A hunt with a first seed of its own."""
    swarm = Swarm(workload=WORKLOAD, bug=bug, substrate=substrate)  # type: ignore[arg-type]
    return Hunt(swarm, number * FAR_APART, 100_000, 120.0, store, all_oracles=all_oracles)


def shrinking(campaigns: int, store: Path) -> None:
    """How small each bug gets, from the first plan that shows it in simulation."""
    misses = 0
    for bug in BUGS:
        small = [shrunk(bug, number, store) for number in range(campaigns)]
        good = sum(each.is_small for each in small)
        misses += campaigns - good
        print(f"  {bug:<30}{good:>3} of {campaigns:<3}{'; '.join(map(str, small))}", flush=True)
    print(f"  {misses} of {campaigns * len(BUGS)} plans are larger than they should be (to reach: 0)")


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What shrinking came to."""

    reason: str
    plan: Plan
    cpu_s: float

    @property
    def is_small(self) -> bool:
        """Whether a person reads it in a minute, and did not wait long for it."""
        return is_readable(self.plan, nodes_max=self.nodes_max) and self.cpu_s <= 1.1 * SHRINKING_S

    @property
    def nodes_max(self) -> int:
        """How many nodes there may be; what a way to fail takes, if that is more."""
        bug = self.plan.bug
        needed = (NODES_NEEDED.get((bug or "", why), 0) for why in self.reason.split(" · "))
        return max(NODES_READABLE, *needed)

    def __str__(self) -> str:
        """Nodes, proposals, faults and deviations, time."""
        plan = self.plan
        size = f"{plan.nodes} / {proposals(plan)} / {len(plan.faults) + len(plan.deviations)}"
        takes = f" (takes {self.nodes_max} nodes)" if self.nodes_max > NODES_READABLE else ""
        return f"{'' if self.is_small else 'MISSED '}{size}, {self.cpu_s:.1f} s{takes}"


def shrunk(bug: str, number: int, store: Path) -> Shrunk:
    """Hunt a bug and shrink what convicts it."""
    job, run = hunt_for(bug, number, store), load_run()
    failing = run(job.swarm.plan(hunt(job).seed))
    began = time.process_time()
    found = simplest_alike(failing, run, Allowance.of(SHRINKING_S, time.process_time))
    return Shrunk(failing.reason, found, time.process_time() - began)


def campaigns_at_work(campaigns: int, store: Path) -> None:
    """Trials a second by one worker, two, and two of a cluster, one of which is killed half-way."""
    trials = 200
    one = soaked(store / "one.sqlite", trials, workers=1)
    two = soaked(store / "two.sqlite", trials, workers=2)
    print(f"  one worker {one:.1f} trials/s, two {two:.1f}: {two / one:.2f} times (to reach: 1.8)")
    with cluster() as (address, start_worker):
        start_worker()
        far_one = soaked(store / "far-one.sqlite", trials, address=address)
        victim = start_worker()
        far_two = soaked(store / "far-two.sqlite", trials, address=address)
        killed = soaked(store / "killed.sqlite", trials, address=address, at=(trials // 2, victim.kill))
    print(
        f"  cluster: one worker {far_one:.1f} trials/s, two {far_two:.1f}: {far_two / far_one:.2f} times; "
        f"with one of them killed half-way {killed / far_one:.2f} times, nothing lost (to reach: 1.6)"
    )


def soaked(
    path: Path,
    trials: int,
    *,
    workers: int = 1,
    address: str | None = None,
    at: tuple[int, Callable[[], object]] | None = None,
) -> float:
    """Trials a second from the first that ended to the last; all were recorded, and none twice."""
    watcher = Watcher(at)
    with Campaign.create(path, Swarm(workload=WORKLOAD), 0) as campaign:
        progress = soak(
            campaign,
            path.parent / "store",
            Limits(trials=trials),
            Workers(workers, address, warm=warm_modules(WORKLOAD)),
            view=watcher,
        )
        assert campaign.tally().trials == progress.tried == trials, progress.own_failures
    return watcher.trials_per_s(progress)


class Watcher:
    """Notes when a soak got going, and does something once when so many trials were tried."""

    def __init__(self, at: tuple[int, Callable[[], object]] | None) -> None:
        self._at = at
        self._first: tuple[float, int] | None = None

    def show(self, progress: Progress) -> None:
        """Look at the time."""
        if self._first is None and progress.tried:
            self._first = progress.elapsed_s, progress.tried
        if self._at is not None and progress.tried >= self._at[0]:
            self._at[1]()
            self._at = None

    def found(self, finding: FailureGroup) -> None:
        """The correct system does not fail."""
        raise AssertionError(finding)

    def trials_per_s(self, progress: Progress) -> float:
        """Without the time that workers take to be there."""
        assert self._first is not None
        return (progress.tried - self._first[1]) / (progress.elapsed_s - self._first[0])


@contextmanager
def cluster() -> Iterator[tuple[str, Callable[[], subprocess.Popen[bytes]]]]:
    """A scheduler's address, and what starts a worker of one thread, each in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:]]
            process = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2])
        yield f"tcp://{address}", lambda: start("worker", f"tcp://{address}", "--nthreads", "1", "--no-nanny")


BENCHES = {
    "convictions": convictions,
    "disagreement": disagreement,
    "shrinking": shrinking,
    "campaigns": campaigns_at_work,
}


def main() -> None:
    """Prints what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=3)
    parser.add_argument("--only", choices=BENCHES, action="append")
    options = parser.parse_args()
    print(f"{options.campaigns} campaigns, on a machine of {os.cpu_count()} cores")
    with TemporaryDirectory() as folder:
        for name in options.only or BENCHES:
            print(name, flush=True)
            BENCHES[name](options.campaigns, Path(folder))


if __name__ == "__main__":
    main()
