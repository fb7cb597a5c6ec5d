"""The replicated store as people run it: real processes on loopback, each write synced to disk by a quorum.

python -m bench.cluster [--sessions N] [--seconds S] [--pysyncobj PYTHON] [--etcd PROGRAM] [--folder FOLDER]

Beside it, in the same run, PySyncObj, made to sync its journal (see `_pysyncobj.py`), and etcd, which does.
PySyncObj's writers run inside its leader, which saves them the way there; our sessions, and etcd's, are in a
process of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import trio

from bench import _etcd
from bench._groups import several_groups
from bench._load import Load, load, read, read_index, write
from bench._town import Town, find_leader, free_port
from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.server.timing import ReplicaTiming

NODES = 3
KILLS = 3
HOW_TO_INSTALL = (
    "python3 -m venv FOLDER; FOLDER/bin/pip install pysyncobj; and then --pysyncobj FOLDER/bin/python"
)
WAIT_S = 60.0
PATIENCE_S = 10.0


class Rate(NamedTuple):
    """Writes a second, and how long they took."""

    rate: float
    p50_ms: float
    p99_ms: float


class Ours(NamedTuple):
    """How our store did what the others do too."""

    writes: Load
    reads: Load
    """By read index."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    python = os.environ.get("BENCH_PYSYNCOBJ", sys.executable)
    parser.add_argument("--pysyncobj", default=python, help="a Python that has PySyncObj")
    etcd = os.environ.get("BENCH_ETCD", "etcd")
    parser.add_argument(
        "--etcd", default=etcd, help="the program, if it is not where programs are looked for"
    )
    parser.add_argument("--folder", type=Path, help="where the data are written: on a real disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        (root / "ours").mkdir()
        with Town(root / "ours", NODES) as town:
            ours = trio.run(measure, town, options.sessions, options.seconds)
        beside(ours, options.pysyncobj, root, options.sessions, options.seconds)
        beside_etcd(ours, options.etcd, root, options.sessions, options.seconds)
        several_groups(root, options.sessions, options.seconds)


async def measure(town: Town, sessions: int, seconds: float) -> Ours:
    """Everything about our store; returns how its writes and reads went."""
    leader = await find_leader(town)
    await load(leader, write, sessions=sessions, seconds=1.0)  # Warm.
    begun_s = town.cpu_s(leader)
    writes = await load(leader, write, sessions=sessions, seconds=seconds)
    cost = _cost(writes, town.cpu_s(leader) - begun_s)
    about = f"writes of {sessions} sessions, synced by two of three"
    print(f"{writes.rate:10,.0f} /s  {about}; {_waits(writes)}; {cost}")
    half = await load(leader, write, sessions=sessions, seconds=seconds, rate=writes.rate / 2)
    print(f"{half.rate:10,.0f} /s  writes at half that load; {_waits(half)}   (to reach: p99 < 25)")
    all_reads: dict[str, Load] = {}
    for how, operation, goal in (("by lease", read, 5), ("by read index", read_index, 0)):
        begun_s = town.cpu_s(leader)
        all_reads[how] = reads = await load(leader, operation, sessions=sessions, seconds=seconds)
        cost = _cost(reads, town.cpu_s(leader) - begun_s)
        times = f"{reads.rate / writes.rate:.1f} times the writes{_to_reach(goal)}"
        print(f"{reads.rate:10,.0f} /s  reads {how}; {_waits(reads)}; {cost}; {times}")
    await recovery(town)
    return Ours(writes, all_reads["by read index"])


def _cost(done: Load, cpu_s: float) -> str:
    return f"{1e6 * cpu_s / len(done.took_s):.0f} us of the leader's CPU"


def _to_reach(goal: float) -> str:
    return f"   (to reach: {goal:g})" if goal else ""


async def recovery(town: Town) -> None:
    """How long writes pause when their leader is killed by kill -9; the median of several."""
    pauses_s = []
    for _ in range(KILLS):
        pauses_s.append(await _killed_s(town))
    pause_s = sorted(pauses_s)[KILLS // 2]
    timeout_s = 2 * ReplicaTiming().election_s
    about = f"until writes go on after kill -9 of the leader: {pause_s / timeout_s:.1f} election timeouts"
    print(f"{pause_s:10.2f} s   {about}   (to reach: 2)")


async def _killed_s(town: Town) -> float:
    """Kill the leader while somebody writes, and start it again; returns for how long nothing was written."""
    leader = await find_leader(town)
    others = [address for address in town.addresses if address != leader]
    async with ReplicaClient([leader, *others], f"recovery of {leader} {trio.current_time()}") as client:
        await client.execute(["put", "recovery", 0], timeout_s=PATIENCE_S)
        town.kill(leader)
        begun = trio.current_time()
        await client.execute(["put", "recovery", 1], timeout_s=PATIENCE_S)
        pause_s = trio.current_time() - begun
    town.start(town.addresses.index(leader))
    await trio.sleep(2.0)
    return pause_s


def _waits(done: Load) -> str:
    failed = f", {done.failed} of unknown outcome" if done.failed else ""
    return f"p50 {done.quantile_ms(0.5):.1f} ms, p99 {done.quantile_ms(0.99):.1f} ms{failed}"


def beside(ours: Ours, python: str, root: Path, writers: int, seconds: float) -> None:
    """PySyncObj as it comes, and as quick as its settings make it."""
    if subprocess.run([python, "-c", "import pysyncobj"], capture_output=True).returncode:
        print(f"{'-':>10}     PySyncObj is not there to compare with. {HOW_TO_INSTALL}")
        return
    for how, period_s, goal in (("as it comes", 0.1, 3), ("sending every 5 ms", 0.005, 0)):
        theirs = pysyncobj(python, root, writers, seconds, period_s)
        waits = f"p50 {theirs.p50_ms:.1f} ms, p99 {theirs.p99_ms:.1f} ms"
        times = f"ours are {ours.writes.rate / theirs.rate:.1f} times as many{_to_reach(goal)}"
        print(f"{theirs.rate:10,.0f} /s  by {writers} writers in PySyncObj's leader, {how}; {waits}; {times}")


def beside_etcd(ours: Ours, program: str, root: Path, sessions: int, seconds: float) -> None:
    """etcd, which asks a quorum for each linearizable read, as ours do by read index."""
    if shutil.which(program) is None:
        print(f"{'-':>10}     etcd is not there to compare with. apt-get install etcd-server")
        return
    with _etcd.running(program, root, NODES) as etcd:
        for what, asking, own in (("writes", _etcd.write, ours.writes), ("reads", _etcd.read, ours.reads)):
            theirs = _etcd.load(etcd.leader(), asking, sessions=sessions, seconds=seconds)
            times = f"ours are {own.rate / theirs.rate:.1f} times as many"
            print(
                f"{theirs.rate:10,.0f} /s  {what} of {sessions} sessions of etcd; {_waits(theirs)}; {times}"
            )


def pysyncobj(python: str, root: Path, writers: int, seconds: float, period_s: float) -> Rate:
    """Three processes that replicate a dictionary by PySyncObj; the one that leads writes and measures."""
    members = [f"127.0.0.1:{free_port()}" for _ in range(NODES)]
    processes = []
    for member in members:
        others = ",".join(other for other in members if other != member)
        journal = root / f"pysyncobj-{period_s}-{member.replace(':', '-')}"
        command = [python, Path(__file__).parent / "_pysyncobj.py", member, others, journal]
        command += [str(writers), str(seconds), str(period_s)]
        processes.append(
            subprocess.Popen(
                [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        )
    try:
        return Rate(**json.loads(_first_line(processes)))
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _first_line(processes: list[subprocess.Popen[bytes]]) -> bytes:
    """What the first of them prints that prints anything."""
    import selectors

    with selectors.DefaultSelector() as selector:
        for process in processes:
            assert process.stdout is not None
            selector.register(process.stdout, selectors.EVENT_READ, process.stdout)
        ready = selector.select(WAIT_S)
        assert ready, "PySyncObj has not come to an end"
        line: bytes = ready[0][0].data.readline()
        return line


if __name__ == "__main__":
    main()
