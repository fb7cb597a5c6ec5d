"""A lease that is kept alive: its keys stay while the block runs, and go with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from ostrakon.paxos_impl import Address, AsyncClient, LeaseLost, NotDone
from tests.paxos_impl.town import KvTown, living
from tests.ports import LONG_S


@pytest.fixture
def town(tmp_path: Path) -> Iterator[KvTown]:
    with living(KvTown(tmp_path)) as town:
        yield town


async def test_keys_stay_while_the_block_runs_and_a_lost_lease_ends_it(town: KvTown) -> None:
    addresses = [Address.parse(town.addresses[name]) for name in ("1", "2", "3")]
    async with AsyncClient(addresses, timeout_s=LONG_S) as store:
        async with store.lease(length_s=LONG_S) as lease:
            await store.put("owner", "me", lease=lease)
            assert await store.get("owner") == "me"
        assert await store.get("owner") is None
        with pytest.raises(NotDone, match="has ended"):
            await store.put("owner", "me", lease=lease)

        with pytest.raises(LeaseLost), trio.fail_after(LONG_S):
            await lose_a_lease(store)


async def lose_a_lease(store: AsyncClient) -> None:
    async with store.lease(length_s=3.0, name="mine"):
        await store.execute(["revoke", "mine"])
        await trio.sleep_forever()
