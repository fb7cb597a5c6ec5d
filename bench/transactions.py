"""How long the transaction checker takes, on histories of a strictly serializable store.

python bench/transactions.py [TRANSACTIONS ...]
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.transactions.edges import Edges
from ostrakon.checkers.transactions.scc import labelled
from ostrakon.harness.history import History, Op

KEYS, APPENDS_PER_KEY = 100, 100


def serial_store(transactions: int, concurrency: int, seed: int = 1, stale: float = 0.0) -> Iterator[Op]:
    """Transactions of 1 to 5 micro-ops over 100 live keys, each of which is retired after 100 appends.

    With `stale`, that share of the reads misses the last two values.
    """
    rng = random.Random(seed)
    live = list(range(KEYS))
    lists: dict[int, list[int]] = {key: [] for key in live}
    asked_of = [0] * KEYS
    appended = 0
    idle = list(range(concurrency))
    open_: list[tuple[int, list[list[Any]]]] = []
    index = started = 0
    while started < transactions or open_:
        if idle and started < transactions and (not open_ or rng.random() < 0.5):
            process = idle.pop()
            asked: list[list[Any]] = []
            for _ in range(rng.randrange(1, 6)):
                at = rng.randrange(KEYS)
                if rng.random() < 0.5:
                    asked.append(["r", live[at], None])
                else:
                    appended += 1
                    asked.append(["append", live[at], appended])
                    asked_of[at] += 1
                    if asked_of[at] == APPENDS_PER_KEY:
                        asked_of[at], live[at] = 0, len(lists)
                        lists[live[at]] = []
            open_.append((process, asked))
            started += 1
            yield Op(index, index, "invoke", process, "txn", asked)
        else:
            process, asked = open_.pop(rng.randrange(len(open_)))
            done: list[list[Any]] = []
            for f, key, value in asked:
                if f == "append":
                    lists[key].append(value)
                    done.append([f, key, value])
                else:
                    cut = 2 if stale and rng.random() < stale else 0
                    done.append([f, key, lists[key][: len(lists[key]) - cut]])
            idle.append(process)
            yield Op(index, index, "ok", process, "txn", done)
        index += 1


def measure(transactions: int, concurrency: int, stale: float = 0.0) -> str:
    """One line of the table."""
    history = History(serial_store(transactions, concurrency, stale=stale))
    wall = cpu = float("inf")
    for _ in range(3 if transactions <= 300_000 else 1):
        gc.collect()
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        verdict = list_append(history)
        wall = min(wall, time.perf_counter() - wall_before)
        cpu = min(cpu, time.process_time() - cpu_before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = verdict.details["found"] or "-"
    return f"{transactions:>9,} {concurrency:>4} {wall:7.2f} {cpu:7.2f} {peak:7.0f}  {verdict.valid} {found}"


def baseline(transactions: int) -> str:
    """The components of a graph as large as such a history's, found by networkx and in flat arrays."""
    import networkx as nx
    import numpy as np

    rng = np.random.default_rng(1)
    count = 7 * transactions
    source = rng.integers(0, 2 * transactions - 1, count, np.int32)
    target = (source + rng.integers(1, 50, count, np.int32)).clip(max=2 * transactions - 1).astype(np.int32)
    edges = Edges(2 * transactions, source, target, np.ones(count, np.int16))

    def with_networkx() -> int:
        graph = nx.DiGraph(zip(source.tolist(), target.tolist(), strict=True))
        return nx.number_strongly_connected_components(graph)

    seconds = []
    for way in (with_networkx, lambda: labelled(edges)):
        before = time.process_time()
        way()
        seconds.append(time.process_time() - before)
    return (
        f"components of {count:,} edges: networkx {seconds[0]:.2f} s, flat arrays {seconds[1]:.2f} s of CPU"
    )


def blind_writes(transactions: int, *, stale: bool, seed: int = 1) -> History:
    """Two reads and two blind writes each, 20 writers a key and no null reads; one read may be stale."""
    rng = random.Random(seed)
    keys = max(8, transactions // 10)
    versions: list[list[int]] = [[] for _ in range(keys)]
    done: list[list[list[Any]]] = []
    for number in range(transactions):
        first = range(number * 4, min(keys, number * 4 + 4)) if number * 4 < keys else None
        chosen = list(first) if first else rng.sample(range(keys), 4)
        reads = [] if first else chosen[:2]
        ops: list[list[Any]] = [["r", key, versions[key][-1]] for key in reads]
        if stale and number > transactions // 2 and reads and len(versions[reads[0]]) > 4:
            ops[0][2], stale = versions[reads[0]][-4], False
        for key in chosen[len(reads) :]:
            versions[key].append(number * 4 + len(ops))
            ops.append(["w", key, versions[key][-1]])
        done.append(ops)
    moments = [(at - 40 * rng.random(), 0, at) for at in range(transactions)]
    moments += [(float(at), 1, at) for at in range(transactions)]
    history = []
    for index, (_, is_done, at) in enumerate(sorted(moments)):
        asked = [[f, key, None if f == "r" and not is_done else value] for f, key, value in done[at]]
        history.append(Op(index, index, "ok" if is_done else "invoke", at, "txn", asked))
    return History(history)


def ring(length: int = 1_000, transactions: int = 29_943) -> History:
    """Writes of which each follows the one before, the last of which misses the first, among write skews."""
    rng = random.Random(7)
    members: list[list[list[Any]]] = [
        [["append", f"k{at}", 2], ["append", f"k{at + 1}", 1]] for at in range(length + 1)
    ]
    members[-1].insert(0, ["r", "last", []])
    members[0].append(["append", "last", 1])
    shown: list[list[list[Any]]] = [[["r", f"k{at}", [1, 2]]] for at in range(1, length + 1)]
    skews: list[list[list[Any]]] = []
    for number in range(transactions - 2 * length - 1):
        earlier, later = sorted(rng.sample(range(length + 1), 2))
        skews.append([["r", f"p{number}", []], ["append", f"q{number}", 1]])
        members[earlier].append(["append", f"p{number}", 1])
        members[later].append(["r", f"q{number}", []])
    together = [*members, *skews]
    ops: list[tuple[Any, int, Any]] = []
    for type_ in ("invoke", "ok"):
        ops += [(type_, at, micro_ops) for at, micro_ops in enumerate(together)]
    for at, micro_ops in enumerate(shown):
        ops += [("invoke", at % 20, micro_ops), ("ok", at % 20, micro_ops)]
    return History(Op(at, at, type_, process, "txn", value) for at, (type_, process, value) in enumerate(ops))


def print_decided() -> None:
    """What is hard to decide rather than long."""
    print("CPU seconds of what is decided:")
    cases = [
        ("10,000 blind writers", rw_register, blind_writes(10_000, stale=False), "serializable"),
        ("10,000 blind writers", rw_register, blind_writes(10_000, stale=False), "snapshot-isolation"),
        ("the same, a stale read", rw_register, blind_writes(10_000, stale=True), "serializable"),
        ("the same, a stale read", rw_register, blind_writes(10_000, stale=True), "snapshot-isolation"),
        ("a ring of 1,000", list_append, ring(), "snapshot-isolation"),
    ]
    for name, check, history, model in cases:
        before = time.process_time()
        verdict = check(history, model, every_model=False)
        cpu = time.process_time() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name:>24}  {model:<20} {cpu:7.2f} {peak:7.0f} MiB  {verdict.valid}", flush=True)


def main(sizes: list[int]) -> None:
    """Print the table."""
    measure(10_000, 20, stale=0.01)  # So that what is imported when it is needed has been.
    print(baseline(100_000))
    print("list-append, strict serializability; best of 3 in seconds, and the process's peak memory in MiB")
    print("to reach: 100,000 transactions in 0.7 s; 1,000,000 in 7 s and 2,500 MB")
    print("     txns conc    wall     cpu    peak  verdict")
    for transactions in sizes:
        print(measure(transactions, 20), flush=True)
        print(measure(transactions, 20, stale=0.0005), flush=True)
    print_decided()


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000])
