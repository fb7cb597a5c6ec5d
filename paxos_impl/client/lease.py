"""A lease that is kept alive while the body of a block runs, for keys that shall vanish with their owner.

    async with held_lease(addresses, length_s=10) as lease:
        await client.execute(["put_leased", "worker/7", "here", lease], timeout_s=5)
        await work()

What must always hold: the block is cancelled before the lease can have ended, by this machine's clock.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

import trio

from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.client.session import NotDone, Unsure
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_KEPT_EVERY = 1 / 3
"""How often a lease is kept alive, in multiples of its length: two attempts may fail."""


class LeaseLost(Exception):
    """The lease was not kept alive in time: it may have ended, and its keys may be gone."""


@asynccontextmanager
async def held_lease(
    addresses: Sequence[Address], *, length_s: float, name: str = "", transport: Transport = PLAIN
) -> AsyncGenerator[str, None]:
    """A new lease, given by its name, which is random unless given; it is revoked at the end.

    If the lease can't be kept alive, the body is cancelled, and LeaseLost is raised. Exceptions of the body
    come in a group, as from a nursery.

    Raises: NotDone; Unsure; LeaseLost.
    """
    name = name or secrets.token_hex(8)
    keeper = ReplicaClient(addresses, f"lease {name} {secrets.token_hex(8)}", transport=transport)
    async with keeper:
        begun_s = trio.current_time()
        granted = await keeper.execute(["grant", name, round(1000 * length_s)], timeout_s=length_s)
        if not granted.result:
            raise NotDone(f"there is a lease {name!r} already")
        is_over = False
        with trio.CancelScope(deadline=begun_s + length_s) as body:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_alive, keeper, name, length_s, body)
                try:
                    yield name
                    is_over = True
                finally:
                    nursery.cancel_scope.cancel()
        if not is_over and body.cancelled_caught:
            raise LeaseLost(f"the lease {name!r} was not kept alive in time")
        with suppress(NotDone, Unsure):
            await keeper.execute(["revoke", name], timeout_s=length_s)


async def _keep_alive(keeper: ReplicaClient, name: str, length_s: float, body: trio.CancelScope) -> None:
    """Keep a lease alive; each time, move the deadline of the body."""
    while True:
        await trio.sleep(length_s * _KEPT_EVERY)
        begun_s = trio.current_time()
        with suppress(NotDone, Unsure):
            kept = await keeper.execute(["keep_alive", name], timeout_s=length_s * _KEPT_EVERY)
            if not kept.result:
                body.cancel()
                return
            body.deadline = begun_s + length_s
