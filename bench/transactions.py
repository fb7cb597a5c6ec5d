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

from ostrakon.checkers.transactions import list_append
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


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000])
