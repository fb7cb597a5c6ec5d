"""A lease that is kept alive: its keys stay while the block runs, and go with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from ostrakon.paxos_impl.client.lease import LeaseLost, held_lease
from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.wire.membership import Address
from tests.paxos_impl.town import KvTown, living
from tests.ports import LONG_S


@pytest.fixture
def town(tmp_path: Path) -> Iterator[KvTown]:
    with living(KvTown(tmp_path)) as town:
        yield town


async def test_keys_stay_while_the_block_runs_and_a_lost_lease_ends_it(town: KvTown) -> None:
    addresses = [Address.parse(town.addresses[name]) for name in ("1", "2", "3")]
    async with ReplicaClient(addresses, "reader") as client:

        async def value() -> object:
            return (await client.read(["get", "owner"], timeout_s=LONG_S)).result

        async with held_lease(addresses, length_s=LONG_S) as lease:
            await client.execute(["put_leased", "owner", "me", lease], timeout_s=LONG_S)
            assert await value() == "me"
        assert await value() is None

        with pytest.raises(LeaseLost), trio.fail_after(LONG_S):
            await lose_a_lease(addresses, client)


async def lose_a_lease(addresses: list[Address], client: ReplicaClient) -> None:
    async with held_lease(addresses, length_s=3.0, name="mine"):
        await client.execute(["revoke", "mine"], timeout_s=LONG_S)
        await trio.sleep_forever()
