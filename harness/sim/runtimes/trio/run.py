"""Every private name of Trio that the simulator needs, and a test that they still mean what we think.

A simulated process is one real Trio run. We drive the generator behind `trio.run` ourselves, without the
guest-mode wrapper, and give it an I/O manager and a wake-up that never touch the operating system: a
process starts in some 30 microseconds and a pass of its loop costs a third of what it costs over epoll.

The rest of the package says `TrioRun` and `schedule_batches`, and nothing private.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any, Protocol

import outcome
import trio
import trio._core._run as _run
import trio._socket as _socket
from trio.lowlevel import Task

from ostrakon.harness.sim.kernel.errors import UnsupportedTrio
from ostrakon.harness.sim.runtimes.trio import generators
from ostrakon.harness.sim.runtimes.trio.generators import forget_hooks as forget_hooks
from ostrakon.harness.sim.runtimes.trio.generators import generators_apart
from ostrakon.harness.sim.runtimes.trio.passes import Host, passes
from ostrakon.harness.sim.runtimes.trio.runner import new_runner
from ostrakon.harness.sim.runtimes.trio.shortcuts import shortcuts as shortcuts
from ostrakon.harness.sim.runtimes.trio.waiting import Trap as Trap
from ostrakon.harness.sim.runtimes.trio.waiting import checkpoint as checkpoint
from ostrakon.harness.sim.runtimes.trio.waiting import checkpoint_if_cancelled as checkpoint_if_cancelled
from ostrakon.harness.sim.runtimes.trio.waiting import is_cancelled as is_cancelled
from ostrakon.harness.sim.runtimes.trio.waiting import park as park

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_RUN: Any = _run


class BatchOrder(Protocol):
    """Decides in which order a process runs the tasks that are ready together."""

    def shuffle(self, batch: list[Task]) -> None:
        """Reorder `batch` in place; it comes in order of creation, and its last task runs first."""


class TrioRun:
    """One Trio run, advanced by hand, one pass of its loop at a time."""

    __slots__ = ("_instruments", "advance", "queue", "runner", "waiting_for_idle")

    def __init__(
        self,
        main: Callable[[], Awaitable[object]],
        clock: trio.abc.Clock,
        host: Host,
        socket_factory: trio.abc.SocketFactory | None = None,
        resolver: trio.abc.HostnameResolver | None = None,
    ) -> None:
        # What `trio.socket.set_custom_socket_factory` and its like do, from outside of the run.
        run_vars = {_socket._socket_factory: socket_factory, _socket._resolver: resolver}
        self.runner: Any = new_runner(clock, host, run_vars)
        self.queue: deque[Task] = self.runner.runq
        """The tasks that are ready for the next pass."""
        self.waiting_for_idle: Mapping[Any, Any] = self.runner.waiting_for_idle
        """Who waits until all tasks of the run are blocked; hardly ever anyone."""
        self._instruments = self.runner.instruments["_all"]
        self.advance: Callable[[], bool] = passes(self.runner, main).__next__
        """Make some passes. Returns whether the run has nothing more to do before its next deadline.

        From now on Trio's functions speak to this run, until another one makes a pass.

        Raises: StopIteration when the run is over; trio.TrioInternalError.
        """

    def rescheduling(self, ready: list[Any]) -> Callable[[Any, object], None]:
        """A function that wakes a parked task of this run and lets `park` return a value, None by default.

        It can be called from anywhere, and adds the host to `ready` unless it is there or may not run.
        """
        host: Any = self.runner.host
        runner, queue, instruments = self.runner, self.queue, self._instruments

        def reschedule(task: Any, value: object = None) -> None:
            if instruments:
                runner.reschedule(task, value)
            else:
                assert task._next_send_fn is None, f"{task} was woken twice"
                task._next_send_fn, task._next_send = task.coro.send, value
                task._abort_func = task.custom_sleep_data = None
                queue.append(task)
            if not host.queued and host.can_run:
                host.queued = True
                ready.append(host)

        return reschedule

    def within(self, call: Callable[[], object]) -> None:
        """Call something that needs to be inside this run, from anywhere."""
        surrounding = _CONTEXT.__dict__.get("runner")
        _CONTEXT.runner = self.runner
        try:
            call()
        finally:
            if surrounding is None:
                del _CONTEXT.runner
            else:
                _CONTEXT.runner = surrounding

    def hide(self) -> Callable[[], None]:
        """Let the code at work see no event loop, as in a thread; call what this returns to show it again."""
        context = _CONTEXT.__dict__
        shown = dict(context)
        context.clear()
        return lambda: context.update(shown)

    def suspend(self) -> Callable[[], None]:
        """Leave the step at work, because its code blocks; call what this returns to go on with it."""
        context = _CONTEXT.__dict__
        task = context.pop("task")

        def go_on() -> None:
            _CONTEXT.runner, _CONTEXT.task = self.runner, task

        return go_on

    def take_apart(self) -> None:
        """It is over. What is left of it need not wait for the garbage collector."""
        runner = self.runner
        runner.init_task = runner.main_task = runner.system_nursery = runner.entry_queue.wakeup.runner = None

    def abandon(self) -> None:
        """Give up on a run that will not end. It is kept: Trio would complain if it were thrown away."""
        _abandoned.append(self)

    @property
    def outcome(self) -> outcome.Outcome[Any] | None:
        """How the main task ended; None while it has not."""
        result: outcome.Outcome[Any] | None = self.runner.main_task_outcome
        return result

    @property
    def tasks(self) -> list[Task]:
        """The tasks of the program in order of creation, without Trio's own."""
        runner = self.runner
        live = (task for task in runner.tasks if task is not runner.init_task)
        own = (
            task
            for task in live
            if task is runner.main_task or task.parent_nursery is not runner.system_nursery
        )
        return sorted(own, key=lambda task: task._counter)

    @property
    def cushion_s(self) -> float | None:
        """For how long all must be quiet before `wait_all_tasks_blocked` returns; None if nobody asks."""
        waiting: Any = self.waiting_for_idle
        return waiting.keys()[0][0] if waiting else None

    def put_back(self, tasks: list[Task]) -> None:
        """Queue tasks again that were taken out of a batch."""
        self.queue.extend(tasks)


_abandoned: list[TrioRun] = []


@contextmanager
def schedule_batches(order: BatchOrder) -> Iterator[None]:
    """Let `order` decide for every run, and stand aside from a run that may surround this one.

    To be used while the `shortcuts` are in place.
    """
    check_trio()
    with _installed(order), generators_apart():
        yield


@contextmanager
def _installed(order: BatchOrder) -> Iterator[None]:
    context = dict(_CONTEXT.__dict__)
    deterministic, generator = _RUN._ALLOW_DETERMINISTIC_SCHEDULING, _RUN._r
    library = _RUN.sniffio_library.name
    _CONTEXT.__dict__.clear()
    _RUN._ALLOW_DETERMINISTIC_SCHEDULING, _RUN._r = True, order
    _RUN.sniffio_library.name = "trio"
    try:
        yield
    finally:
        _RUN.sniffio_library.name = library
        _RUN._ALLOW_DETERMINISTIC_SCHEDULING, _RUN._r = deterministic, generator
        _CONTEXT.__dict__.clear()
        _CONTEXT.__dict__.update(context)


def step_aside(hooks: tuple[Any, Any]) -> None:
    """Until `step_back`, no Trio run is at work, but an event loop with these hooks for async generators."""
    context = _CONTEXT.__dict__
    if context:
        context.clear()
    _RUN.sniffio_library.name = None
    generators.others_hooks = hooks


def step_back() -> None:
    """That event loop has ended its work."""
    generators.others_hooks = None
    _RUN.sniffio_library.name = "trio"


@contextmanager
def aside(hooks: tuple[Any, Any]) -> Iterator[None]:
    """The same for the body, whatever is at work around it, be it a run that is none of a world's."""
    shown, library = dict(_CONTEXT.__dict__), _RUN.sniffio_library.name
    step_aside(hooks)
    try:
        yield
    finally:
        step_back()
        _RUN.sniffio_library.name = library
        _CONTEXT.__dict__.update(shown)


class _TestClock(trio.abc.Clock):
    def __init__(self) -> None:
        self.now, self.deadline_s = 0.0, inf

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        self.deadline_s = deadline
        return deadline - self.now


class _TestHost:
    """Runs tasks in the order of their creation."""

    passes = crash_pass = 0
    can_run, livelock_pass = True, 1000

    def __init__(self) -> None:
        self.batch: list[Task] = []
        self.crash: Callable[[], object] = self.batch.clear

    def order(self, batch: list[Task]) -> None:
        batch.reverse()

    shuffle = order


@functools.cache
def check_trio() -> None:
    """Try the private parts on a small run, once.

    Raises: UnsupportedTrio, which names the version that is installed.
    """
    try:
        _try_out()
    except Exception as error:
        raise UnsupportedTrio(
            f"trio {trio.__version__} is not built as the simulator needs it: 0.27 to 0.35 are known "
            f"to work ({type(error).__name__}: {error})"
        ) from error


def _try_out() -> None:
    seen: list[str] = []

    async def child(name: str) -> None:
        seen.append(name)
        await trio.sleep(1 if name == "a" else 2)
        seen.append(name)

    async def main() -> str:
        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                nursery.start_soon(child, name)
        trio.lowlevel.current_trio_token().run_sync_soon(seen.append, "soon")
        await trio.sleep(1)
        return "done"

    clock = _TestClock()
    host = _TestHost()
    with _installed(host), generators_apart(), shortcuts():
        run = TrioRun(main, clock, host)
        _drive(run, clock)
        result = run.outcome
    if result is None or result.unwrap() != "done":
        raise RuntimeError("a run did not return its result")
    if seen != ["a", "b", "a", "b", "soon"]:
        raise RuntimeError(f"tasks ran in the order {seen}")


def _drive(run: TrioRun, clock: _TestClock) -> None:
    for _ in range(100):
        try:
            if run.advance():
                clock.now = min(clock.deadline_s, clock.now + 10)
        except StopIteration:
            return
    raise RuntimeError("a run did not end")
