"""What several groups are good for: writes, and how many of them one sync of a replica is for.

What one sync can be for depends on how many sessions write at once. So eight groups are compared with one
that has as many sessions as each of them, and with one that has as many as all of them together.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import trio

from bench._load import KEYS, Load, load
from bench._town import Town
from ostrakon.paxos_impl.client.connection import NoAnswer
from ostrakon.paxos_impl.client.replica import statuses
from ostrakon.paxos_impl.kv.placement import group_of_key
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Execute, InGroup, OpenSession, Request

GROUPS = 8
NODES = 3
WAIT_S = 60.0


class Writes(NamedTuple):
    """What was written by how many sessions."""

    rate: float
    per_sync: float
    """For how many writes one sync of a replica was, on average."""
    p99_ms: float


def several_groups(root: Path, sessions: int, seconds: float) -> None:
    """Print a row for each way to have them: one group with few and with all sessions, and eight groups."""
    each = max(1, sessions // GROUPS)
    few, many = (_measured(root / f"one-{n}", 1, n, seconds) for n in (each, sessions))
    spread = _measured(root / "eight", GROUPS, each, seconds)
    _print(few, f"writes to one group of {each} sessions", "")
    _print(many, f"writes to one group of {each * GROUPS} sessions", "")
    times, of_all = spread.per_sync / few.per_sync, spread.per_sync / many.per_sync
    compared = (
        f": {times:.1f} times as many as with one of them alone   (to reach: 3), {of_all:.1f} times as many "
        f"as with one group of all sessions; {spread.rate / many.rate:.1f} times its writes"
    )
    _print(spread, f"writes to {GROUPS} groups of {each} sessions each", compared)


def _print(writes: Writes, what: str, compared: str) -> None:
    told = f"p99 {writes.p99_ms:.1f} ms; {writes.per_sync:.1f} for each sync of a replica{compared}"
    print(f"{writes.rate:10,.0f} /s  {what}; {told}", flush=True)


def _measured(root: Path, groups: int, sessions: int, seconds: float) -> Writes:
    root.mkdir()
    with Town(root, NODES, groups=groups) as town:
        return trio.run(_measure, town, sessions, seconds)


async def _measure(town: Town, sessions: int, seconds: float) -> Writes:
    leaders = await _leaders(town)
    await _load_all(town, leaders, sessions, 1.0)  # Warm.
    before = await _syncs(town)
    done = await _load_all(town, leaders, sessions, seconds)
    syncs = (await _syncs(town) - before) / NODES
    return Writes(done.rate, len(done.took_s) / syncs, done.quantile_ms(0.99))


async def _load_all(town: Town, leaders: list[Address], sessions: int, seconds: float) -> Load:
    """So many sessions write to each group."""
    done = Load(lasted_s=seconds)

    async def load_one(group: int, leader: Address) -> None:
        writer = _Writer(group, town.groups)
        one = await load(leader, writer, sessions=sessions, seconds=seconds, opening=writer.opening)
        done.took_s += one.took_s
        done.failed += one.failed

    async with trio.open_nursery() as nursery:
        for group, leader in enumerate(leaders):
            nursery.start_soon(load_one, group, leader)
    return done


class _Writer:
    """Makes writes of keys that one group has."""

    def __init__(self, group: int, groups: int) -> None:
        self._group, self._is_alone = group, groups == 1
        self._keys = [f"k{n}" for n in range(groups * KEYS) if group_of_key(f"k{n}", groups) == group]

    def opening(self, number: int, name: str) -> Request:
        """The request that opens a session with the group."""
        request = OpenSession(number, name)
        return request if self._is_alone else InGroup(self._group, request)

    def __call__(self, number: int, session: str, nth: int) -> Request:
        key = self._keys[(61 * number + nth) % len(self._keys)]
        put = Execute(number, session, nth + 1, ["put", key, "v" * 100])
        return put if self._is_alone else InGroup(self._group, put)


async def _leaders(town: Town) -> list[Address]:
    """Who leads each group, once every group is led by somebody."""
    with trio.fail_after(WAIT_S):
        while True:
            found: dict[int, Address] = {}
            for address in town.addresses:
                with suppress(NoAnswer):
                    told = await statuses(address, timeout_s=WAIT_S)
                    if isinstance(told, list):
                        leading = [group for group, each in enumerate(told) if each.phase == "leading"]
                        found |= dict.fromkeys(leading, address)
            if len(found) == town.groups:
                return [found[group] for group in range(town.groups)]
            await trio.sleep(0.05)


async def _syncs(town: Town) -> float:
    """How many syncs all replicas have done, by their metrics."""
    total = 0.0
    for address in town.metrics:
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(b"GET /metrics HTTP/1.1\r\n\r\n")
            page = b"".join([chunk async for chunk in stream]).decode()
        [line] = [line for line in page.splitlines() if line.startswith("paxos_syncs_total ")]
        total += float(line.split()[1])
    return total
