#!/usr/bin/env bash
# asyncio of CPython 3.11 to 3.13: callbacks that are due at the same instant do not run in the order in which they were set.
#
# asyncio promises first in, first out for `call_soon`. Timers are in a heap that compares deadlines only, and a heap is not
# stable: eight timers of one deadline run in the order 0, 2, 6, 5, 7, 1, 3, 4. The order is fixed, but it changes when
# another timer is added. With a real clock, two calls of `call_later` hardly ever have equal deadlines. With a
# virtual clock they nearly always have, so a simulated run shows orders that the program has never seen before.
#
# Guess before the run: the order in which they were set, as for `call_soon`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/program.py" <<'PYTHON'
import asyncio


async def order(timers: int) -> list[int]:
    loop = asyncio.get_running_loop()
    fired: list[int] = []
    deadline = loop.time() + 0.05
    for number in range(timers):
        loop.call_at(deadline, fired.append, number)
    await asyncio.sleep(0.2)
    return fired


print(asyncio.run(order(8)))
print(asyncio.run(order(9)))
PYTHON
told=$(python3 "$folder/program.py")
echo "$told"
[ "$told" = "[0, 2, 6, 5, 7, 1, 3, 4]
[0, 2, 6, 5, 8, 7, 1, 3, 4]" ] || { echo "that has changed"; exit 1; }
echo "as found: timers of one deadline run in the order of a heap"
