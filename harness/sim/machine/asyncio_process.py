"""A simulated process that runs an asyncio program."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from outcome import Outcome

from ostrakon.harness.sim.kernel.kernel import Kernel
from ostrakon.harness.sim.machine.process import Process, Program, Waits
from ostrakon.harness.sim.network.plain_socket import endpoint_of
from ostrakon.harness.sim.runtimes.asyncio.run import AsyncioRun
from ostrakon.harness.sim.runtimes.asyncio.selector import Interest
from ostrakon.harness.sim.runtimes.asyncio.self_test import check_asyncio
from ostrakon.harness.sim.runtimes.trio.run import aside, forget_hooks, step_aside, step_back
from ostrakon.harness.sim.sandbox.sandbox import include_asyncio

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine.machine import Machine
    from ostrakon.harness.sim.network.endpoint import Endpoint

_PATIENCE_NS = 10**9
"""How long a program that is unwound may take before it is cancelled again."""


class AsyncioProcess(Process):
    """One real asyncio event loop."""

    segment_gap_ns = 0  # An event loop reads all that is there, and so what has caught up arrives together.

    def __init__(
        self, kernel: Kernel, machine: Machine, program: Program, incarnation: int, *, shuffle: bool = False
    ) -> None:
        super().__init__(kernel, machine, incarnation)
        self.clock = machine.clock
        include_asyncio()
        check_asyncio()
        self._run = AsyncioRun(self, program, shuffle=shuffle)
        kernel.make_ready(self)

    @property
    def is_alone(self) -> bool:
        """Whether only the running callback could run now."""
        return not self._run.queue

    @property
    def is_being_unwound(self) -> bool:
        """Whether the world is closing, so that its actions have no effect."""
        return self.machine.world.closing

    @property
    def waits(self) -> Waits:
        """Its tasks, in order of creation, and where they wait."""
        return self._run.waits

    def reschedule(self, waiter: Any, value: object = None) -> None:
        """Tell the event loop that a socket may be ready, or give a future its result."""
        if type(waiter) is Interest:
            self._run.selector.fired.append(waiter)
        elif not waiter.done():
            waiter.set_result(value)
        if not self.queued and self.can_run:
            self.queued = True
            self._kernel.ready.append(self)

    async def checkpoint(self) -> None:
        """Let other tasks of this process go first, if there are any."""
        if not self.is_alone:
            await asyncio.sleep(0)

    async def checkpoint_if_cancelled(self) -> None:
        """Nothing: asyncio raises a cancellation where a task waits."""

    async def wait_ns(self, delay_ns: int) -> None:
        """Let the task at work wait for so much true time; a cancellation is raised when it is over."""
        done = self.event_loop.create_future()
        self._kernel.call_at(self._kernel.now_ns + delay_ns, self.reschedule, done)
        cancelled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def wait_cancelled(self) -> None:
        """Let the task at work wait until it is cancelled."""
        await self.event_loop.create_future()

    def wake(self) -> None:
        """Let it run before time advances, unless it is running."""
        if self._kernel.current is not self:
            self._kernel.make_ready(self)

    @property
    def event_loop(self) -> Any:
        """The event loop that runs, or ran last."""
        return self._run.loop

    def new_event_loop(self) -> Any:
        """What `asyncio.new_event_loop` gives its program. Raises: NotSimulated."""
        return self._run.new_loop()

    def wait_stopped(self) -> None:
        """Let the program, an ordinary function, wait until its loop is stopped. Raises: RuntimeError."""
        self._run.wait_stopped()

    def endpoint_of(self, sock: Any) -> Any:
        """The simulated socket that one of the standard library stands for."""
        return endpoint_of(sock)

    def socket_at(self, number: int) -> Endpoint:
        """The open socket with this number. Raises: OSError as `epoll` does if there is none."""
        for sock in self.sockets:
            if sock.fileno() == number:
                return sock
        error = errno.EBADF if self.files.get(number) is None else errno.EPERM
        raise OSError(error, os.strerror(error))

    def unwind(self) -> None:
        """End it after the fact, whatever state it is in; cancelled again and again if that takes long."""
        if self._outcome is None:
            self._within(self._run.lose_connections)
        super().unwind()
        if self._outcome is None:
            self._kernel.call_at(self._kernel.now_ns + _PATIENCE_NS, self.unwind)

    def abandon(self) -> None:
        """Give up on it, without a word from asyncio."""
        self._run.abandon()

    def _advance(self) -> None:
        run, goes = self._run, 0
        step_aside(run.hooks)
        try:
            while not run.advance():
                goes += 1
                if not self.can_run:
                    return
                if goes * run.passes_at_once > self.machine.world.passes_max:
                    self._suspect_livelock()
                    return
        finally:
            step_back()
        if self._clock.deadline_s != self._deadline_s:
            self._deadline_s = self._clock.deadline_s
            self.set_alarm()

    def _within(self, call: Callable[[], object]) -> None:
        with aside(self._run.hooks):
            self._run.within(call)

    def leave_loop(self) -> Callable[[], None]:
        """Hide the loop from the code at work, as in a thread; call what this returns to show it again."""
        return self._run.suspend()

    def _suspend(self) -> Callable[[], None]:
        go_on = self._run.suspend()
        step_back()

        def go_on_here() -> None:
            step_aside(self._run.hooks)
            go_on()

        return go_on_here

    def _cancel(self) -> None:
        self._within(self._run.cancel)

    def _result(self) -> Outcome[Any] | None:
        result = self._run.outcome
        self._run.take_apart()
        forget_hooks(self._run.hooks)
        return result
