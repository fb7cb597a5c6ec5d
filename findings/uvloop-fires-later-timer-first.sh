#!/usr/bin/env bash
# uvloop 0.23.0 (CPython 3.11): of two timers, the one with the later deadline fires first.
#
# uvloop rounds the delay of `call_later` to whole milliseconds and fires timers of one millisecond in the order in which
# they were set. A timer of 1.4 ms that is set before one of 0.6 ms therefore fires first. asyncio's own loop keeps deadlines
# as floating-point seconds and fires them in order. A protocol that gives an election a delay of 0.6 ms more
# than a heartbeat has no such distance under uvloop.
#
# Guess before the run: timers of different deadlines fire in the order of their deadlines on every loop; uvloop only fires
# them up to a millisecond late.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvloop==0.23.0
cat >"$folder/program.py" <<'PYTHON'
import asyncio

import uvloop


async def main() -> None:
    loop = asyncio.get_running_loop()
    fired: list[str] = []
    loop.call_later(0.0014, fired.append, "1.4 ms")
    loop.call_later(0.0006, fired.append, "0.6 ms")
    await asyncio.sleep(0.1)
    print(type(loop).__module__.partition(".")[0], *fired, sep=", ")


asyncio.run(main())
uvloop.run(main())
PYTHON
told=$("$folder/venv/bin/python" "$folder/program.py")
echo "$told"
[ "$told" = "asyncio, 0.6 ms, 1.4 ms
uvloop, 1.4 ms, 0.6 ms" ] || { echo "that has changed"; exit 1; }
echo "as found: uvloop fires the timer of 1.4 ms before the one of 0.6 ms"
