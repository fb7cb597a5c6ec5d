"""One of three processes that replicate a dictionary by PySyncObj; the leader writes, and prints how it went.

Run by a Python that has PySyncObj, in which nothing of this project need be installed:
python _pysyncobj.py SELF OTHER,OTHER JOURNAL WRITERS SECONDS PERIOD

PySyncObj does not sync its journal. To compare like with like it is made to: before a follower says what it
has, and before a leader sends what it has, once for all that was added since the last time.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from pysyncobj import SyncObj, SyncObjConf  # type: ignore[import-not-found]
from pysyncobj.batteries import ReplDict  # type: ignore[import-not-found]
from pysyncobj.journal import FileJournal  # type: ignore[import-not-found]

STOP_S = 60.0


def sync_its_journal() -> None:
    """Have whatever is said rest on what is durable."""
    added, unsynced = FileJournal.add, set[int]()

    def add(journal: Any, *entry: Any) -> None:
        added(journal, *entry)
        unsynced.add(id(journal))

    def synced_before(name: str) -> None:
        said = getattr(SyncObj, name)

        def say(replica: Any, *args: Any, **kwargs: Any) -> Any:
            journal = replica._SyncObj__raftLog
            if id(journal) in unsynced:
                unsynced.discard(id(journal))
                journal.flush()
            return said(replica, *args, **kwargs)

        setattr(SyncObj, name, say)

    FileJournal.add = add
    synced_before("_SyncObj__sendNextNodeIdx")
    synced_before("_SyncObj__sendAppendEntries")


def write(store: Any, writers: int, seconds: float) -> list[float]:
    """Have so many writes under way at any time; returns how long each took."""
    took: list[float] = []
    left, done = writers, threading.Event()
    end = time.monotonic() + seconds

    def next_write(number: int) -> None:
        nonlocal left
        begun = time.monotonic()
        if begun >= end:
            left -= 1
            if left == 0:
                done.set()
            return

        def written(result: Any, error: int) -> None:
            if error == 0:
                took.append(time.monotonic() - begun)
            next_write(number + 1)

        store.set(f"k{number % 1000}", "v" * 100, callback=written)

    for number in range(writers):
        next_write(number)
    done.wait(seconds + STOP_S)
    return took


def main() -> None:
    """Take part; lead if elected."""
    me, others, journal = sys.argv[1], sys.argv[2].split(","), sys.argv[3]
    writers, seconds, period_s = int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
    sync_its_journal()
    store = ReplDict()
    config = SyncObjConf(journalFile=journal, appendEntriesPeriod=period_s, autoTickPeriod=period_s)
    replica = SyncObj(me, others, consumers=[store], conf=config)
    stop = time.monotonic() + seconds + STOP_S
    while time.monotonic() < stop:
        if replica.isReady() and str(replica._getLeader()) == me:
            time.sleep(0.5)  # All three are connected by now.
            write(store, writers, 1.0)
            took = sorted(write(store, writers, seconds))
            shares = {f"p{share}_ms": 1000 * took[len(took) * share // 100] for share in (50, 99)}
            print(json.dumps({"rate": len(took) / seconds, **shares}), flush=True)
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
