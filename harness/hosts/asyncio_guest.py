"""Trio as a guest of asyncio: the harness runs on Trio, and clients that were written for asyncio beside it.

Both share one thread, so that an answer is recorded when it comes, and not when another thread gets its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, TypeVar

import trio
from outcome import Outcome

from ostrakon.harness.history import Op
from ostrakon.harness.workload import Client

_T = TypeVar("_T")
_CLOSING_S = 1.0
"""How long a client may take to close, in seconds."""


def run_on_asyncio(main: Callable[[], Awaitable[_T]]) -> _T:
    """Run an async function for Trio inside an asyncio loop of this thread; returns what it returns."""

    async def host() -> _T:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Outcome[_T]] = loop.create_future()
        trio.lowlevel.start_guest_run(
            main,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=loop.call_soon,
            done_callback=ended.set_result,
            host_uses_signal_set_wakeup_fd=True,
            restrict_keyboard_interrupt_to_checkpoints=True,
        )
        return (await ended).unwrap()

    return asyncio.run(host())


async def on_asyncio(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine of asyncio as a task of its own, from within Trio; cancelled with what awaits it.

    Raises: whatever it raises.
    """
    running = asyncio.get_running_loop().create_task(work)
    me = trio.lowlevel.current_task()
    running.add_done_callback(lambda _: trio.lowlevel.reschedule(me))

    def abort(_: object) -> trio.lowlevel.Abort:
        running.cancel()
        return trio.lowlevel.Abort.FAILED  # Go on when it has ended, and not before.

    await trio.lowlevel.wait_task_rescheduled(abort)
    if running.cancelled():
        await trio.lowlevel.checkpoint_if_cancelled()
        raise trio.BrokenResourceError("the client's task was cancelled by its own library")
    return running.result()


class AsyncioClient(AbstractAsyncContextManager[Client]):
    """A client for asyncio as one for Trio; what its library raises when a connection is lost is an
    OSError.
    """

    def __init__(
        self, opened: AbstractAsyncContextManager[Client], lost: tuple[type[Exception], ...]
    ) -> None:
        self._opened, self._lost = opened, lost
        self._client: Client

    async def __aenter__(self) -> Client:
        self._client = await self._translated(self._opened.__aenter__())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing is not told of cancellation by Trio: to asyncio, it is an error of another library.
        told = error if isinstance(error, Exception) else None
        with trio.move_on_after(_CLOSING_S, shield=True):
            await self._translated(self._opened.__aexit__(type(told) if told else None, told, traceback))

    async def apply(self, op: Op) -> Op:
        """Have the client do an op. Raises: what the client raises, or OSError in place of `lost`."""
        return await self._translated(self._client.apply(op))

    async def _translated(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await on_asyncio(work)
        except self._lost as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
