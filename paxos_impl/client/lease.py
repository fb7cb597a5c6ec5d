"""A lease that is kept alive while the body of a block runs, for keys that shall vanish with their owner.

    async with AsyncClient(addresses) as store, store.lease(length_s=10) as lease:
        await store.put("worker/7", "here", lease=lease)
        await work()

What must always hold: the block is cancelled before the lease can have ended, by this machine's clock.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import anyio

from ostrakon.paxos_impl.client.session import NotDone, Unsure
from ostrakon.paxos_impl.wire.replica import Done

_KEPT_EVERY = 1 / 3
"""How often a lease is kept alive, in multiples of its length: two attempts may fail."""


class LeaseLost(Exception):
    """The lease was not kept alive in time: it may have ended, and its keys may be gone."""


class Executes(Protocol):
    """A client for several operations at once."""

    async def execute(self, op: Any, *, timeout_s: float | None = None) -> Done:
        """Execute an operation through the log. Raises: NotDone; Unsure."""


@asynccontextmanager
async def held_lease(store: Executes, *, length_s: float, name: str = "") -> AsyncGenerator[str, None]:
    """A new lease, given by its name, which is random unless given; it is revoked at the end.

    If the lease can't be kept alive, the body is cancelled, and LeaseLost is raised. Exceptions of the body
    come in a group, as from a task group.

    Raises: NotDone; Unsure; LeaseLost.
    """
    name = name or secrets.token_hex(8)
    begun_s = anyio.current_time()
    granted = await store.execute(["grant", name, round(1000 * length_s)], timeout_s=length_s)
    if not granted.result:
        raise NotDone(f"there is a lease {name!r} already")
    is_over = False
    try:
        with anyio.CancelScope(deadline=begun_s + length_s) as body:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_keep_alive, store, name, length_s, body)
                yield name
                is_over = True
                tasks.cancel_scope.cancel()
        if not is_over:
            raise LeaseLost(f"the lease {name!r} was not kept alive in time")
    finally:
        with anyio.CancelScope(shield=True), suppress(NotDone, Unsure):
            await store.execute(["revoke", name], timeout_s=length_s)


async def _keep_alive(store: Executes, name: str, length_s: float, body: anyio.CancelScope) -> None:
    """Keep a lease alive; each time, move the deadline of the body."""
    while True:
        await anyio.sleep(length_s * _KEPT_EVERY)
        begun_s = anyio.current_time()
        with suppress(NotDone, Unsure):
            kept = await store.execute(["keep_alive", name], timeout_s=length_s * _KEPT_EVERY)
            if not kept.result:
                body.cancel()
                return
            body.deadline = begun_s + length_s
