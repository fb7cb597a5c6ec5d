"""A watch of a real cluster misses no change and tells none twice, although its replica is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import trio

from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.client.watching import watch
from ostrakon.paxos_impl.wire.membership import Address
from tests.paxos_impl.town import KvTown, living, paxos
from tests.ports import LONG_S

COUNT = 60


@pytest.fixture
def town(tmp_path: Path) -> Iterator[KvTown]:
    with living(KvTown(tmp_path)) as town:
        yield town


async def test_a_watch_goes_on_at_another_replica(town: KvTown) -> None:
    addresses = [Address.parse(town.addresses[name]) for name in ("1", "2", "3")]
    seen: list[tuple[int, str, object]] = []
    began = trio.Event()

    async def collect() -> None:
        async with aclosing(watch(addresses, "w/", after=0)) as batches:
            async for batch in batches:
                began.set()
                seen.extend((each.slot, each.key, each.value) for each in batch.changes)
                if len(seen) >= COUNT:
                    return

    slots: list[int] = []
    with trio.fail_after(2 * LONG_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect)
            await began.wait()
            async with ReplicaClient(addresses[1:], "writer") as client:
                for number in range(COUNT):
                    if number == COUNT // 2:
                        town.kill("1")
                    slots.append(
                        (await client.execute(["put", f"w/{number % 7}", number], timeout_s=LONG_S)).slot
                    )
                    await client.execute(["put", "another", number], timeout_s=LONG_S)

    assert seen == [(slot, f"w/{number % 7}", number) for number, slot in enumerate(slots)]


def test_the_command_prints_changes_and_goes_on_after_a_slot(town: KvTown) -> None:
    for value in ("1", "2", "3"):
        assert town.kv("put", "w/a", value)[0] == 0
    town.kv("delete", "w/a")

    def watched(*options: str) -> list[dict[str, object]]:
        ended = paxos("kv", "watch", "w/", *options, "--node", town.addresses["2"], "--timeout", f"{LONG_S}")
        assert ended.status == 0, ended.said
        return [json.loads(line) for line in ended.out.splitlines()]

    lines = watched("--after", "0", "--count", "4")
    assert [line["value"] for line in lines] == ["1", "2", "3", None]
    assert watched("--after", str(lines[1]["slot"]), "--count", "2") == lines[2:]
