#!/usr/bin/env bash
# PySyncObj 0.3.17, with `journalFile`: a write is acknowledged although no replica has synced it, and none ever does.
#
# The journal is a memory-mapped file. Terms and votes go to a second file, which is renamed into place. Neither is ever
# synced while the cluster runs: the journal has a method that flushes the map, and nothing calls it before `destroy`. So
# kill -9 of all replicas loses nothing, and a test that kills processes finds the library durable. A power failure in
# the whole rack may lose acknowledged writes, and may bring back a replica that has forgotten its vote.
#
# Guess before the run: at least one sync on each replica for each batch of entries, since the option's description says that
# each record is saved as soon as it is received.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysyncobj==0.3.17
cat >"$folder/program.py" <<'PYTHON'
import mmap
import os
import socket
import sys
import time
from collections import Counter

synced: Counter[str] = Counter()


def counted(name: str):
    real = getattr(os, name)

    def sync(*arguments: int) -> None:
        synced[name] += 1
        real(*arguments)

    return sync


class Map(mmap.mmap):
    def flush(self, *arguments: int) -> None:
        synced["flush of a map"] += 1
        super().flush(*arguments)


for name in ("fsync", "fdatasync", "sync"):
    setattr(os, name, counted(name))
mmap.mmap = Map

from pysyncobj import SyncObj, SyncObjConf, replicated_sync  # noqa: E402: it must find the functions above.


class Sum(SyncObj):
    def __init__(self, me: str, others: list[str], journal: str) -> None:
        super().__init__(me, others, SyncObjConf(journalFile=journal))
        self.total = 0

    @replicated_sync(timeout=30)
    def add(self, number: int) -> int:
        self.total += number
        return self.total


listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
names = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
for listener in listeners:
    listener.close()
replicas = [
    Sum(name, [other for other in names if other != name], f"{sys.argv[1]}/journal-{number}")
    for number, name in enumerate(names)
]
while not all(replica.isReady() for replica in replicas):
    time.sleep(0.05)
for _ in range(100):
    acknowledged = replicas[0].add(1)
print(acknowledged, "writes acknowledged, syncs:", sum(synced.values()))
time.sleep(2)
print("two seconds later, syncs:", sum(synced.values()))
for replica in replicas:
    replica.destroy()
PYTHON
told=$("$folder/venv/bin/python" "$folder/program.py" "$folder")
echo "$told"
[ "$told" = "100 writes acknowledged, syncs: 0
two seconds later, syncs: 0" ] || { echo "that has changed"; exit 1; }
echo "as found: acknowledged writes are in the page cache only"
