#!/usr/bin/env bash
# diskcache 5.6.3: the release of a lock that has expired takes the lock away from whoever holds it by now.
#
# `Lock(cache, key, expire=...)` stores a constant under its key, not a token of its holder, and `release` deletes the key
# whoever stored it. A holder that was paused for longer than `expire` ends another holder's lock when it goes on, and a
# third one gets the lock while the second still works. The lock of redis-py stores a token and refuses such a release.
#
# Guess before the run: an error for the first holder, as for `RLock`, which knows its owner.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check diskcache==5.6.3
cat >"$folder/program.py" <<'PYTHON'
import sys
import time

from diskcache import Cache, Lock

cache = Cache(sys.argv[1])
first, second, third = (Lock(cache, "leader", expire=expire) for expire in (0.2, 600, 600))
first.acquire()
time.sleep(0.5)
second.acquire()
print("the second holds it:", second.locked())
first.release()
print("after the first one's release:", second.locked())
third.acquire()
print("the third has it, and the second has never released it")
PYTHON
told=$(timeout 60 "$folder/venv/bin/python" "$folder/program.py" "$folder/cache")
echo "$told"
[ "$told" = "the second holds it: True
after the first one's release: False
the third has it, and the second has never released it" ] || { echo "that has changed"; exit 1; }
echo "as found: a late release ends the lock of the next holder"
