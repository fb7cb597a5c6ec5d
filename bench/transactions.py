"""How long the transaction checker takes, and how much memory, each case in a process of its own.

python -m bench.transactions [--beside CHECKOUT] [PART OF A NAME ...]

`--beside` names the checkout of another version, with an environment of its own in `.venv`: each case is
judged by both, one after the other. Seconds are of the processor; memory is the peak of the process, and how
much of that was added to the history while it was judged.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# Versions before 0.2.0 have these packages at the top. The version in the working directory is judged.
_TOP = "ostrakon." if Path("ostrakon").is_dir() else ""
_history, _checkers = (import_module(_TOP + name) for name in ("harness.history", "checkers.transactions"))
History, Op = _history.History, _history.Op

KEYS, APPENDS_PER_KEY = 100, 100


def serial_store(
    transactions: int, concurrency: int, seed: int = 1, stale: float = 0.0, write: str = "append"
) -> Iterator[Any]:
    """Transactions of 1 to 5 micro-ops over 100 live keys, each of which is retired after 100 writes.

    With `stale`, that share of the reads misses the last two values. Writes are appends to lists, or `w`.
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
                    asked.append([write, live[at], appended])
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
                if f == write:
                    lists[key].append(value)
                    done.append([f, key, value])
                else:
                    cut = 2 if stale and rng.random() < stale else 0
                    shown = lists[key][: len(lists[key]) - cut]
                    done.append([f, key, shown if write == "append" else shown[-1] if shown else None])
            idle.append(process)
            yield Op(index, index, "ok", process, "txn", done)
        index += 1


def blind_writes(transactions: int, *, stale: bool, seed: int = 1) -> Any:
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


def at_once(transactions: int) -> Any:
    """The same blind writes when nothing tells their order: all are invoked, then all are answered."""
    rng = random.Random(1)
    recorded = list(blind_writes(transactions, stale=False))
    ops: list[Any] = []
    for type_ in ("invoke", "ok"):
        some = [op for op in recorded if op.type == type_]
        rng.shuffle(some)
        ops += some
    return History(Op(index, index, op.type, op.process, op.f, op.value) for index, op in enumerate(ops))


def ring(length: int = 1_000, transactions: int = 29_943) -> Any:
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


def _lists(transactions: int, stale: float = 0.0) -> Any:
    return History(list(serial_store(transactions, 20, stale=stale)))


def _registers(transactions: int) -> Any:
    return History(list(serial_store(transactions, 20, write="w")))


Case = tuple[str, Callable[[], Any], str, int]
"""Which checker, its history, the model, and how often it is judged; the quickest time counts."""
CASES: dict[str, Case] = {
    "lists, 100,000": ("list_append", lambda: _lists(100_000), "strict-serializable", 3),
    "lists, 100,000, anomalies": ("list_append", lambda: _lists(100_000, 0.0005), "strict-serializable", 3),
    "lists, 1,000,000": ("list_append", lambda: _lists(1_000_000), "strict-serializable", 1),
    "registers, 100,000": ("rw_register", lambda: _registers(100_000), "strict-serializable", 3),
    "blind writers, 10,000, serializable": (
        "rw_register",
        lambda: blind_writes(10_000, stale=False),
        "serializable",
        1,
    ),
    "blind writers, 10,000, snapshot isolation": (
        "rw_register",
        lambda: blind_writes(10_000, stale=False),
        "snapshot-isolation",
        1,
    ),
    "blind writers, 10,000, a stale read, serializable": (
        "rw_register",
        lambda: blind_writes(10_000, stale=True),
        "serializable",
        1,
    ),
    "blind writers, 10,000, a stale read, snapshot isolation": (
        "rw_register",
        lambda: blind_writes(10_000, stale=True),
        "snapshot-isolation",
        1,
    ),
    "blind writers, 2,000 at once, serializable": ("rw_register", lambda: at_once(2_000), "serializable", 1),
    "blind writers, 2,000 at once, snapshot isolation": (
        "rw_register",
        lambda: at_once(2_000),
        "snapshot-isolation",
        1,
    ),
    "a ring of 1,000, snapshot isolation": ("list_append", ring, "snapshot-isolation", 1),
}


def judge(name: str) -> str:
    """One case, judged in this process."""
    checker, make, model, times = CASES[name]
    history = make()
    before = _peak_mib()
    check = getattr(_checkers, checker)
    cpu = float("inf")
    for _ in range(times):
        gc.collect()
        since = time.process_time()
        verdict = check(history, model)
        cpu = min(cpu, time.process_time() - since)
    return f"{verdict.valid:>7} {cpu:7.2f} s {_peak_mib():6.0f} MiB (+{_peak_mib() - before:.0f})"


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> None:
    """Print a line for each case whose name has one of the given parts."""
    checkouts = [Path(__file__).resolve().parents[1]]
    if "--beside" in arguments:
        at = arguments.index("--beside")
        checkouts.append(Path(arguments[at + 1]).resolve())
        arguments = arguments[:at] + arguments[at + 2 :]
    for name in CASES:
        if arguments and not any(part in name for part in arguments):
            continue
        found = [_judged_by(checkout, name) for checkout in checkouts]
        print(f"{name:56} {'; beside it '.join(found)}", flush=True)


def _judged_by(checkout: Path, name: str) -> str:
    command = [str(checkout / ".venv/bin/python"), __file__, "--judge", name]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    ran = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or f"failed: {ran.stderr.strip().splitlines()[-1:]}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--judge"]:
        print(judge(sys.argv[2]))
    else:
        main(sys.argv[1:])
