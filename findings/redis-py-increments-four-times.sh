#!/usr/bin/env bash
# redis 8.1.0 (redis-py), asyncio client with its default settings: one `incr` is executed four times, without an error.
#
# The server executes each INCRBY and closes the connection before it answers, as a server does that crashes at that moment. The
# client connects again and sends the same command, up to three times more, although an increment is not idempotent. The
# fourth execution is answered, and the caller gets 4. A chaos test of a counter sees additions that no client made, and
# they are no fault of the server: such a test needs `Redis(..., retry=Retry(NoBackoff(), 0))`.
#
# Guess before the run: a ConnectionError, and one execution.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
cat >"$folder/program.py" <<'PYTHON'
import asyncio

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

LOST = 3
"""The number of executions that are not answered."""


class Counter:
    """A server that knows one command, and says OK to all others."""

    def __init__(self) -> None:
        self.value = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2].decode())
            if words[0] == "HELLO":
                writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
            elif words[0] != "INCRBY":
                writer.write(b"+OK\r\n")
            else:
                self.value += 1
                if self.value <= LOST:
                    writer.close()
                    return
                writer.write(b":%d\r\n" % self.value)


async def executed(**settings: object) -> tuple[object, int]:
    counter = Counter()
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    client = redis.asyncio.Redis(port=server.sockets[0].getsockname()[1], **settings)
    try:
        answer: object = await client.incr("counter")
    except redis.ConnectionError:
        answer = "ConnectionError"
    await client.aclose()
    server.close()
    return answer, counter.value


async def main() -> None:
    print("by default:", *await executed())
    print("without retries:", *await executed(retry=Retry(NoBackoff(), 0)))


asyncio.run(main())
PYTHON
told=$("$folder/venv/bin/python" "$folder/program.py")
echo "$told"
[ "$told" = "by default: 4 4
without retries: ConnectionError 1" ] || { echo "that has changed"; exit 1; }
echo "as found: one call of incr, four executions, and no error"
