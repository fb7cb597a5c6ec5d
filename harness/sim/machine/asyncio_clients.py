"""Clients written for asyncio, used by a process that runs Trio: the harness's own.

They are at work in one asyncio process on a machine of their own. What they are asked to do, and what came of
it, passes between the two processes at once and over no network. Each client lives in one task of asyncio's
from its opening to its end, as programs expect of an `async with`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import trio
from outcome import Error, Outcome, Value
from trio.lowlevel import Abort

from ostrakon.harness.sim.runtimes.trio.run import Trap, park
from ostrakon.harness.substrates.runtime import Runtime

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine.machine import Machine
    from ostrakon.harness.sim.machine.process import Process

_CANCELLED = "the client was cancelled"
_Op = TypeVar("_Op")


class _Client(Protocol[_Op]):
    """A client that was opened."""

    async def apply(self, op: _Op) -> _Op:
        """Do what an op says and return it completed."""


_Open = Callable[[], AbstractAsyncContextManager[_Client[Any]]]


class AsyncioClients:
    """A machine for clients that run on asyncio."""

    def __init__(self, machine: Machine, runtime: Runtime = "asyncio") -> None:
        self._process = machine.start(_wait_for_ever, runtime=runtime)

    @asynccontextmanager
    async def connect(self, open_client: _Open) -> AsyncIterator[_Client[Any]]:
        """Open a client there; what this yields may be used in Trio.

        Cancelled, whatever it does breaks off, and the client with it. Raises: what the client raises.
        """
        session = _Session(self._process, open_client)
        await session.begin()
        try:
            yield session
        finally:
            await session.end()


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()


class _Session:
    """One client."""

    def __init__(self, process: Process, open_client: _Open) -> None:
        self._process, self._loop = process, process.event_loop
        self._open = open_client
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._is_ending = self._has_ended = False
        self._failure: BaseException | None = None
        """The error that ended it while no answer was expected."""
        self._asker: tuple[Any, Any] | None = None
        """The Trio process and the task that wait for an answer."""

    async def begin(self) -> None:
        """Open the client, and return when it is open. Raises: what opening raises."""
        await self._ask(self._start)

    async def apply(self, op: Any) -> Any:
        """Let the client perform an op. Raises: what that raises, or what ended the client before."""
        return await self._ask(self._requests.put_nowait, op)

    async def end(self) -> None:
        """Close the client. Raises: what closing raises."""
        self._is_ending = True
        if not self._has_ended:
            await self._ask(self._requests.put_nowait, None)
        elif self._failure is not None:
            raise self._failure

    # In the Trio process.

    async def _ask(self, call: Callable[..., object], *args: object) -> Any:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._has_ended:
            failure, self._failure = self._failure or EOFError(_CANCELLED), None
            raise failure
        self._asker = self._process.machine.world.kernel.current, trio.lowlevel.current_task()
        self._soon(call, *args)
        return await park(Trap(self._break_off))

    def _break_off(self, _: object) -> Abort:
        self._asker = None
        if self._task is not None:
            self._soon(self._task.cancel)
        return Abort.SUCCEEDED

    def _soon(self, call: Callable[..., object], *args: object) -> None:
        self._loop.call_soon_threadsafe(call, *args, context=contextvars.Context())

    # In the asyncio process.

    def _start(self) -> None:
        task: asyncio.Task[None] = self._loop.create_task(self._live())
        task.add_done_callback(self._over)
        self._task = task

    async def _live(self) -> None:
        async with self._open() as client:
            self._answer(Value(None))
            while (op := await self._requests.get()) is not None:
                self._answer(Value(await client.apply(op)))

    def _over(self, task: asyncio.Task[None]) -> None:
        self._has_ended = True
        error = None if task.cancelled() else task.exception()
        if error is None and not self._is_ending:
            error = EOFError(_CANCELLED)
        if self._asker is None:
            self._failure = None if task.cancelled() else error
        else:
            self._answer(Value(None) if error is None else Error(error))

    def _answer(self, answer: Outcome[Any]) -> None:
        if self._asker is not None:
            (process, task), self._asker = self._asker, None
            process.reschedule(task, answer.value if isinstance(answer, Value) else answer)
