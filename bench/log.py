"""How long a replica takes to reopen a long log, and how much memory: compacted as it grew, and never.

    python -m bench.log [--slots 1000000] [--keys 10000]

Each slot puts a key. The log is written to a real directory as a replica writes it, and opened by a process
of its own, up to where the replica has executed all that it knows. Seconds are of that process's CPU time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    Apply,
    Chose,
    Command,
    Compaction,
    Entry,
    Fact,
    Image,
    Install,
    Replay,
    Replica,
    Snapshot,
    Started,
    Voted,
)
from ostrakon.paxos_impl.core.multi.configuration import founded_by
from ostrakon.paxos_impl.kv.sessions import OPENING, Executed, Opened, Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.storage.disk import OsDisk
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from ostrakon.paxos_impl.wire.membership import Address, Membership

THREE = Membership({n: Address("127.0.0.1", 7000 + n) for n in (1, 2, 3)}, "bench")
GOAL_S = 5.0
AT_ONCE = 1000
"""How many slots one sync makes durable here, to have it over with."""


async def write(root: Path, slots: int, keys: int, *, compacts: bool) -> None:
    """Leave behind what a replica does that has executed so many slots."""
    disk = OsDisk(root)
    storage = await ReplicaStorage.recover(disk, THREE, 1)
    sessions = Sessions(Store())
    ballot, founders, every = Ballot(1, 1), (founded_by(THREE.ids),), Compaction().every
    facts: list[Fact] = []
    opening = sessions.execute(Command("bench", OPENING, None))
    assert isinstance(opening, Opened)
    for slot in range(1, slots + 1):
        command = Command(opening.session, slot, ["put", f"key{slot % keys}", slot])
        if slot == 1:
            command = Command("bench", OPENING, None)
        elif not isinstance(executed := sessions.execute(command), Executed):
            raise AssertionError(f"{command} was not executed: {executed}")
        facts += [Voted(Entry(slot, ballot, (command,))), Chose(slot)]
        if slot % AT_ONCE == 0:
            await storage.save(facts)
            facts.clear()
        if compacts and slot % every == 0:
            await storage.save_snapshot(Image.of(Snapshot(slot, founders, sessions.snapshot())))
    await storage.save(facts)
    disk.close()


async def reopen(root: Path) -> None:
    """Begin another life, and say what it took."""
    idle_mb = _peak_mb()
    begin = time.process_time()
    sessions = Sessions(Store())
    replay = Replay(sessions, founded_by(THREE.ids), Compaction().every)
    storage = await ReplicaStorage.recover(OsDisk(root), THREE, 1, replay=replay)
    replica = Replica.recover(1, THREE.ids, incarnation=storage.incarnation, state=storage.state)
    replica, effects = replica.step(Started())
    for effect in effects:
        match effect:
            case Install(image) if not storage.state.is_executed:
                sessions.restore(image.snapshot.state)
            case Apply(batch=batch):
                for command in batch:
                    sessions.execute(command)
    took_s = time.process_time() - begin
    print(
        f"{took_s:6.2f} s to reopen, {_peak_mb() - idle_mb:6.0f} MB, executed up to slot {replica.applied:,}"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Write both logs, and have each reopened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--reopen", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reopen is not None:
        trio.run(reopen, options.reopen)
        return
    print(f"{options.keys:,} keys   (to reach: {GOAL_S:g} s for a million slots)")
    for name, compacts in (("compacted", True), ("not compacted", False)):
        with tempfile.TemporaryDirectory() as root:
            trio.run(lambda: write(Path(root), options.slots, options.keys, compacts=compacts))  # noqa: B023
            size_mb = sum(file.stat().st_size for file in Path(root).iterdir()) / 1e6
            print(f"{options.slots:>11,} slots, {name:<13} {size_mb:6.1f} MB on disk ", end="", flush=True)
            subprocess.run([sys.executable, "-m", "bench.log", "--reopen", root], check=True)


if __name__ == "__main__":
    main()
