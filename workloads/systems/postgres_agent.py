"""The agent beside each PostgreSQL: it promotes the candidate, fences the primary, and repoints others.

A primary that has reached no other server for a second refuses writes. The candidate, which is the second
server, becomes the primary when it has not reached the primary for 2.5 s and reaches another standby. What
the old primary has acknowledged meanwhile and nobody else has is lost, unless it waits for the candidate at
each commit.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import asyncpg

_PORT = 5432
_LOOK_S, _ANSWER_S = 0.2, 0.5
FENCE_S, PROMOTE_S = 1.0, 2.5


class Agent:
    """What one agent has seen of the others."""

    def __init__(self, me: str, commit: str, servers: Sequence[str]) -> None:
        self._me, self._commit, self._servers = me, commit, servers
        self._primary, self._candidate = servers[0], servers[1]
        self._seen: dict[str, float] = dict.fromkeys(servers, time.monotonic())
        """When each server has answered last."""
        self._is_fenced = self._is_replaced = False

    async def run(self) -> None:
        """Look and act, for ever."""
        while True:
            others = [server for server in self._servers if server != self._me]
            states = dict(zip(others, await asyncio.gather(*map(_is_standby, others)), strict=True))
            now = time.monotonic()
            self._seen.update((server, now) for server, state in states.items() if state is not None)
            self._is_replaced |= states.get(self._candidate) is False
            try:
                await self._act(now)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                print(f"not done: {error!r}", flush=True)
            await asyncio.sleep(_LOOK_S)

    async def _act(self, now: float) -> None:
        silent_s = {server: now - seen for server, seen in self._seen.items() if server != self._me}
        if self._me == self._primary:
            is_alone = min(silent_s.values()) > FENCE_S
            # Who was alone may have been replaced: the candidate must have said that it is a standby.
            is_doubtful = self._is_fenced and silent_s[self._candidate] > FENCE_S
            await self._fence(self._is_replaced or is_alone or is_doubtful)
        elif self._me == self._candidate:
            others = [silent for server, silent in silent_s.items() if server != self._primary]
            if silent_s[self._primary] > PROMOTE_S and min(others) < FENCE_S and not self._is_fenced:
                self._is_fenced = True  # Done once.
                names = "" if self._commit == "on" else "n3"
                await _do(self._me, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
                await _do(self._me, "SELECT pg_promote()")
                print("promoted", flush=True)
        elif self._is_replaced and not self._is_fenced:
            self._is_fenced = True
            source = f"host={self._candidate} user=postgres application_name=n3"
            await _do(self._me, f"ALTER SYSTEM SET primary_conninfo = '{source}'", "SELECT pg_reload_conf()")
            print("follows the candidate", flush=True)

    async def _fence(self, is_fenced: bool) -> None:
        if is_fenced == self._is_fenced:
            return
        setting = f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_fenced else 'off'}"
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        clients = f"{others} AND backend_type = 'client backend'"
        await _do(self._me, setting, "SELECT pg_reload_conf()", *([clients] if is_fenced else []))
        self._is_fenced = is_fenced
        print("fenced" if is_fenced else "accepts writes", flush=True)


async def _is_standby(server: str) -> bool | None:
    """Whether a server is a standby; None if it does not answer in time."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            connection = await asyncpg.connect(host=server, port=_PORT, user="postgres")
            try:
                return bool(await connection.fetchval("SELECT pg_is_in_recovery()"))
            finally:
                connection.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None


async def _do(server: str, *statements: str) -> None:
    connection = await asyncpg.connect(host=server, port=_PORT, user="postgres", timeout=_ANSWER_S)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        connection.terminate()


if __name__ == "__main__":
    asyncio.run(Agent(sys.argv[1], sys.argv[2], sys.argv[3:]).run())
