"""The replicated store beside etcd, in one run: three processes each on loopback, every write synced to disk.

    python -m bench.beside_etcd [--only rates|values|kill|behind] [--rounds N] [--seconds S] [--behind N]

Both clusters run all the time, and are measured in turns of a few seconds, so that whatever else the machine
does slows down both. Figures are medians over the turns; a ratio is the median of the ratios of neighbouring
turns.

etcd is asked through its HTTP gateway, because nothing here speaks gRPC. A session of etcd has its own
connection; ours share four.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import trio

from bench import _etcd, _load
from bench._etcd import Etcd
from bench._load import Load
from bench._town import Town, find_leader
from ostrakon.paxos_impl.client.connection import NoAnswer
from ostrakon.paxos_impl.client.replica import ReplicaClient, status
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Status

NODES = 3
SESSIONS = (1, 4, 8, 64, 512)
VALUES = ((10_000, 16), (1_000_000, 4))
"""Length of a value in bytes, and how many sessions write such values."""
KILLS = 5
WAIT_S = 60.0
ATTEMPT_S = 0.2
_COLUMNS = "  ours/s   etcd/s   ratio   p50 ms: ours     etcd   p99 ms: ours     etcd"


class Both(NamedTuple):
    """The two clusters."""

    ours: Town
    etcd: Etcd


class Pair(NamedTuple):
    """One turn of each."""

    ours: Load
    theirs: Load


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=MEASURES, action="append")
    parser.add_argument("--rounds", type=int, default=5, help="how many turns each has")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a turn lasts")
    parser.add_argument("--behind", type=int, default=100_000, help="slots that a follower misses")
    parser.add_argument("--etcd", default=os.environ.get("BENCH_ETCD", "etcd"), help="the program")
    parser.add_argument("--folder", type=Path, help="where the data are written: on a real disk")
    options = parser.parse_args()
    if shutil.which(options.etcd) is None:
        raise SystemExit("etcd is not there to compare with: apt-get install etcd-server")
    with clusters(options.etcd, options.folder) as both:
        for name in options.only or MEASURES:
            MEASURES[name](both, options)


@contextmanager
def clusters(program: str, folder: Path | None) -> Iterator[Both]:
    """Both clusters, running."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        (root / "ours").mkdir()
        with Town(root / "ours", NODES) as town, _etcd.running(program, root, NODES) as etcd:
            trio.run(find_leader, town)
            yield Both(town, etcd)


# Rates.


def rates(both: Both, options: argparse.Namespace) -> None:
    """Writes of 100 bytes, by more and more sessions."""
    print(f"writes of 100 bytes\n  sessions   {_COLUMNS}")
    for sessions in SESSIONS:
        _print_turns(f"{sessions:10}", _turns(both, options, sessions, 100))


def values(both: Both, options: argparse.Namespace) -> None:
    """Writes of longer values."""
    print(f"longer values\n   bytes (sessions) {_COLUMNS}")
    for size, sessions in VALUES:
        _print_turns(f"{size:9,} ({sessions})", _turns(both, options, sessions, size))


def _turns(both: Both, options: argparse.Namespace, sessions: int, size: int) -> list[Pair]:
    pairs = []
    for turn in range(options.rounds + 1):
        ours = trio.run(_load_ours, both.ours, sessions, options.seconds, size)
        theirs = _etcd.load(
            both.etcd.leader(), partial(_etcd.write, size=size), sessions=sessions, seconds=options.seconds
        )
        if turn:  # The first one only warms up.
            pairs.append(Pair(ours, theirs))
    return pairs


async def _load_ours(town: Town, sessions: int, seconds: float, size: int) -> Load:
    operation = partial(_load.write, size=size)
    return await _load.load(await find_leader(town), operation, sessions=sessions, seconds=seconds)


def _print_turns(what: str, pairs: list[Pair]) -> None:
    def middle(figure: Callable[[Pair], float]) -> float:
        return median(map(figure, pairs))

    rates = f"{middle(lambda each: each.ours.rate):8,.0f} {middle(lambda each: each.theirs.rate):8,.0f}"
    ratio = middle(lambda each: each.ours.rate / each.theirs.rate)
    waits = [
        f"{median(each.ours.quantile_ms(share) for each in pairs):9.1f} "
        f"{median(each.theirs.quantile_ms(share) for each in pairs):9.1f}"
        for share in (0.5, 0.99)
    ]
    failed = sum(each.ours.failed for each in pairs)
    print(
        f"{what}   {rates} {ratio:7.2f} {waits[0]} {waits[1]}{f'   {failed} failed' if failed else ''}",
        flush=True,
    )


# The death of the leader.


def kill(both: Both, options: argparse.Namespace) -> None:
    """How long nothing is written after kill -9 of the leader."""
    gaps_s = [(trio.run(_our_gap_s, both.ours), _etcd_gap_s(both.etcd)) for _ in range(KILLS)]
    ours_s, theirs_s = (median(each) for each in zip(*gaps_s, strict=True))
    ratio = median(ours / theirs for ours, theirs in gaps_s)
    gaps = f"ours {ours_s:.2f} s, etcd {theirs_s:.2f} s; ratio {ratio:.2f}"
    print(f"until a write succeeds after kill -9 of the leader: {gaps}", flush=True)


async def _our_gap_s(town: Town) -> float:
    leader = await find_leader(town)
    others = [address for address in town.addresses if address != leader]
    name = f"gap {leader} {time.time()}"
    async with ReplicaClient([leader, *others], name, attempt_s=ATTEMPT_S) as client:
        await client.execute(["put", "gap", 0], timeout_s=WAIT_S)
        town.kill(leader)
        begun_s = trio.current_time()
        await client.execute(["put", "gap", 1], timeout_s=WAIT_S)
        gap_s = trio.current_time() - begun_s
    town.start(town.addresses.index(leader))
    await _caught_up(town, leader)
    return gap_s


def _etcd_gap_s(etcd: Etcd) -> float:
    """A thread for each survivor tries again and again, so that none waits for one that has no leader."""
    leader = etcd.leader()
    written, times_s = threading.Event(), list[float]()

    def try_writing(address: Address) -> None:
        while not written.is_set():
            with suppress(OSError, AssertionError):
                _etcd.put(address, timeout_s=ATTEMPT_S)
                times_s.append(time.monotonic())
                written.set()
            time.sleep(0.02)

    threads = [
        threading.Thread(target=try_writing, args=(each,)) for each in etcd.addresses if each != leader
    ]
    etcd.kill(leader)
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    etcd.start(leader)
    etcd.wait_same(leader)
    return min(times_s) - begun_s


# A follower that is behind.


def behind(both: Both, options: argparse.Namespace) -> None:
    """How quickly a follower catches up that has missed many slots, or entries of etcd's log.

    The time begins with the start of its process, because etcd serves only when it has caught up.
    """
    ours = trio.run(_our_catch_up, both.ours, options.behind)
    theirs = _etcd_catch_up(both.etcd, options.behind)
    for name, (missed, took_s) in (("ours", ours), ("etcd", theirs)):
        print(
            f"{name}: a follower {missed:,} slots behind has executed all {took_s:.2f} s after its start: "
            f"{missed / took_s:,.0f} slots/s",
            flush=True,
        )


async def _our_catch_up(town: Town, slots: int) -> tuple[int, float]:
    leader = await find_leader(town)
    follower = next(address for address in town.addresses if address != leader)
    town.kill(follower)
    first = (await status_of(leader)).executed
    while (executed := (await status_of(leader)).executed) < first + slots:
        await _load.load(leader, _load.write, sessions=64, seconds=2.0)
    begun_s = trio.current_time()
    town.start(town.addresses.index(follower))
    while True:
        with suppress(NoAnswer):
            seen = await status(follower, timeout_s=WAIT_S)
            if isinstance(seen, Status) and seen.executed >= executed:
                return executed - first, trio.current_time() - begun_s
        await trio.sleep(0.005)


def _etcd_catch_up(etcd: Etcd, entries: int) -> tuple[int, float]:
    leader = etcd.leader()
    follower = next(address for address in etcd.addresses if address != leader)
    etcd.kill(follower)
    first = etcd.applied(leader)
    while (applied := etcd.applied(leader)) < first + entries:
        _etcd.load(leader, _etcd.write, sessions=64, seconds=2.0)
    begun_s = time.monotonic()
    etcd.start(follower)
    while True:
        with suppress(OSError, KeyError):
            seen = etcd.applied(follower)
            if seen >= applied:
                return applied - first, time.monotonic() - begun_s
        time.sleep(0.005)


# Our cluster.


async def status_of(address: Address) -> Status:
    """The status of a replica. Raises: NoAnswer."""
    seen = await status(address, timeout_s=WAIT_S)
    assert isinstance(seen, Status), seen
    return seen


async def _caught_up(town: Town, address: Address) -> None:
    wanted = (await status_of(await find_leader(town))).executed
    with trio.fail_after(WAIT_S):
        while True:
            with suppress(NoAnswer):
                if (await status_of(address)).executed >= wanted:
                    return
            await trio.sleep(0.05)


MEASURES: dict[str, Callable[[Both, argparse.Namespace], None]] = {
    "rates": rates,
    "values": values,
    "kill": kill,
    "behind": behind,
}

if __name__ == "__main__":
    main()
