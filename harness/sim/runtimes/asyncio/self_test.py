"""A small run that tries the private parts of asyncio which the simulator builds on, once."""

from __future__ import annotations

import asyncio
import functools
import random
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

from ostrakon.harness.sim.kernel.errors import UnsupportedAsyncio
from ostrakon.harness.sim.kernel.kernel import Kernel
from ostrakon.harness.sim.kernel.schedule import RandomSchedule
from ostrakon.harness.sim.kernel.threads import SimThread
from ostrakon.harness.sim.runtimes.asyncio.patches import outer_loop_aside
from ostrakon.harness.sim.runtimes.asyncio.run import AsyncioRun

_PASSES_MOST = 100


@functools.cache
def check_asyncio() -> None:
    """Try the private parts on a small run.

    Raises: UnsupportedAsyncio, which names the version of Python that is at work.
    """
    try:
        _try_out()
    except Exception as error:
        raise UnsupportedAsyncio(
            f"asyncio of Python {sys.version.split()[0]} is not built as the simulator needs it: that of "
            f"3.11 to 3.13 is known to work ({type(error).__name__}: {error})"
        ) from error


class _Clock:
    def __init__(self) -> None:
        self.now_s = self.deadline_s = 0.0

    def current_time(self) -> float:
        return self.now_s


class _Socket:
    """A connection on which one line comes, and on which everything can be sent."""

    closed = False
    family, type, proto = 1, 1, 0

    def __init__(self) -> None:
        self.lines = [b"line\n"]
        self.sent: list[bytes] = []

    def fileno(self) -> int:
        return 1_000_000

    def getsockname(self) -> str:
        return "here"

    def getpeername(self) -> str:
        return "there"

    def setblocking(self, flag: bool) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def poll_read(self, waiter: Any) -> bool:
        return bool(self.lines)

    def poll_write(self, waiter: Any) -> bool:
        return True

    def forget(self, waiter: Any) -> None:
        pass

    def send_whole(self, data: bytes) -> bool:
        self.sent.append(data)
        return True

    def take_whole(self, most: int) -> bytes:
        return self.lines.pop() if self.lines else b""


class _Process:
    """What an event loop needs of a process, and no more."""

    name = "self-test"
    can_run = True
    is_being_unwound = False
    crash_pass = 0
    thread: SimThread | None = None

    def __init__(self) -> None:
        self.clock = _Clock()
        self.kernel = Kernel(RandomSchedule(random.Random(0)))
        self.passes = 0
        self.signal_handlers: dict[int, Any] = {}
        self.threads: dict[Any, None] = {}
        self.sock = _Socket()

    def crash(self) -> None:
        """Never called."""

    def wake(self) -> None:
        """It is driven by hand."""

    def socket_at(self, number: int) -> _Socket:
        return self.sock

    def endpoint_of(self, sock: Any) -> _Socket:
        return self.sock

    def wait_stopped(self) -> NoReturn:
        raise RuntimeError("its program is an async function")

    def leave_loop(self) -> Callable[[], None]:
        return lambda: None


def _try_out() -> None:
    seen: list[str] = []

    async def child(name: str, delay_s: float) -> None:
        seen.append(name)
        await asyncio.sleep(delay_s)
        seen.append(name)

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            seen.append("closed")

    async def main() -> str:
        loop: Any = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            for name, delay_s in (("a", 2.0), ("b", 1.0)):
                group.create_task(child(name, delay_s))
            loop.call_soon(seen.append, "soon")
        kept.append(numbers())
        await anext(kept[0])
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = loop._make_socket_transport(process.sock, protocol)
        line = await reader.readline()
        transport.write(line)
        transport.close()
        await asyncio.sleep(0)
        kept_tasks.append(loop.create_task(asyncio.Event().wait()))
        return f"{loop.time():g}"

    kept: list[AsyncIterator[int]] = []
    kept_tasks: list[object] = []
    process = _Process()
    run = AsyncioRun(process, main)
    with outer_loop_aside():
        try:
            _drive(run, process.clock)
        except BaseException:
            run.abandon()
            raise
    if run.outcome is None or (result := run.outcome.unwrap()) != "2":
        raise RuntimeError(f"a run did not return its result, but {result!r}")
    if seen != ["a", "b", "soon", "b", "a", "closed"]:
        raise RuntimeError(f"things happened in the order {seen}")
    if process.sock.sent != [b"line\n"]:
        raise RuntimeError(f"a transport sent {process.sock.sent}")


def _drive(run: AsyncioRun, clock: _Clock) -> None:
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(*run.hooks)
    try:
        for _ in range(_PASSES_MOST):
            if run.advance():
                clock.now_s = clock.deadline_s
    except StopIteration:
        return
    finally:
        sys.set_asyncgen_hooks(*hooks)
    raise RuntimeError("a run did not end")
