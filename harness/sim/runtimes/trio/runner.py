"""What a Trio run is made of in a simulated process: Trio's `Runner`, with a short beginning and a short end.

Trio opens three nurseries around the main task, keeps a task waiting for `TrioToken.run_sync_soon`, and goes
through nine passes if the program does nothing at all. Here the main task and the system tasks share one
nursery, what is to be run soon gets a task when there is some, and two passes do. What programs can rely on
is the same: system tasks are cancelled when the main task is over, then the async generators that are left
are finalized, then what is still to be run soon is run; and a system task that fails ends everything.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from inspect import CO_COROUTINE
from types import FunctionType, SimpleNamespace
from typing import Any, NoReturn

import trio
import trio._core._entry_queue as _entry_queue
import trio._core._instrumentation as _instrumentation
import trio._core._ki as _ki
import trio._core._parking_lot as _parking_lot
import trio._core._run as _run
from outcome import Outcome
from trio.lowlevel import Abort, Task

from ostrakon.harness.sim.kernel.errors import NotSimulated
from ostrakon.harness.sim.runtimes.trio.generators import AsyncGenerators

_RUN: Any = _run
_new_task: Any = Task._create
_LOT_BREAKERS: Any = getattr(_parking_lot, "GLOBAL_PARKING_LOT_BREAKER", ())
_RUN_SOON = "<TrioToken.run_sync_soon task>"


class _Nothing:
    """What a task is woken with when there is nothing to say. Trio makes a `Value(None)` each time."""

    def unwrap(self) -> None:
        pass


_NOTHING = _Nothing()


class Runner(_RUN.Runner):  # type: ignore[misc]
    """The state of one run."""

    async def init(self, main: Callable[[], Awaitable[object]], args: tuple[()]) -> None:
        """The task around all others."""
        async with trio.open_nursery() as self.system_nursery:
            self.main_task = self.spawn_impl(main, args, self.system_nursery, None)
        if self.asyncgens.hooks is None and not self.entry_queue.size():
            self.entry_queue.done = True
            return
        async with trio.open_nursery() as nursery:
            self.spawn_impl(self.entry_queue.task, (), nursery, _RUN_SOON, system_task=True)
            if self.asyncgens.hooks is not None:
                await self.asyncgens.finalize_remaining(self)
            nursery.cancel_scope.cancel()

    def spawn_impl(
        self,
        async_fn: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
        nursery: Any,
        name: object,
        *,
        system_task: bool = False,
        context: contextvars.Context | None = None,
    ) -> Task:
        """A new task. Trio's own does the same for any function, and says what is wrong with it."""
        function = getattr(async_fn, "__func__", async_fn)
        if (
            system_task
            or nursery is None
            or nursery._closed
            or type(function) is not FunctionType
            or not function.__code__.co_flags & CO_COROUTINE
            or "task_spawned" in self.instruments
        ):
            spawned: Task = super().spawn_impl(
                async_fn, args, nursery, name, system_task=system_task, context=context
            )
            return spawned
        if context is None:
            context = contextvars.copy_context()
        if type(name) is not str:
            named: Any = async_fn if name is None else getattr(name, "func", name)
            try:
                name = f"{named.__module__}.{named.__qualname__}"
            except AttributeError:
                name = repr(named)
        task = _new_task(
            coro=context.run(async_fn, *args),
            parent_nursery=nursery,
            runner=self,
            name=name,
            context=context,
            ki_protected=False,
        )
        self.tasks.add(task)
        nursery._children.add(task)
        task._cancel_status = nursery._cancel_status
        task._cancel_status._tasks.add(task)
        self.reschedule(task, None)
        return task  # type: ignore[no-any-return]

    def task_exited(self, task: Any, outcome: Outcome[object]) -> None:
        """A task is over; with the main task, the system tasks are to be."""
        status = task._cancel_status
        if (
            task is not self.main_task
            and task is not self.init_task
            and not task._child_nurseries
            and not (status.abandoned_by_misnesting and status.parent is None)
            and task not in _LOT_BREAKERS
            and "task_exited" not in self.instruments
        ):
            status._tasks.remove(task)
            task._cancel_status = None
            self.tasks.remove(task)
            task._parent_nursery._child_finished(task, outcome)
            return
        super().task_exited(task, outcome)
        if task is self.main_task and self.system_nursery._children:
            self.system_nursery.cancel_scope.cancel()

    def reschedule(self, task: Any, next_send: Any = _RUN._NO_SEND) -> None:
        """Let a task go on in the next pass."""
        assert task._next_send_fn is None, f"{task} was woken twice"
        task._next_send_fn = task.coro.send
        task._next_send = _NOTHING if next_send is _RUN._NO_SEND else next_send
        task._abort_func = task.custom_sleep_data = None
        self.runq.append(task)
        if "task_scheduled" in self.instruments:
            self.instruments.call("task_scheduled", task)

    def run_soon(self) -> None:
        """Something is to be run soon: in a task of its own, unless `init` is about to look."""
        if not self.system_nursery._closed:
            self.spawn_impl(self._run_queued, (), self.system_nursery, _RUN_SOON, system_task=True)

    async def _run_queued(self) -> None:
        """What `EntryQueue.task` does each time that it is woken."""
        self.entry_queue.wakeup.is_woken = False
        queue, distinct = self.entry_queue.queue, self.entry_queue.idempotent_queue
        for _ in range(len(queue)):
            call, args = queue.popleft()
            call(*args)
        for call, args in list(distinct):
            del distinct[call, args]
            call(*args)


def new_runner(clock: trio.abc.Clock, host: Any, run_vars: dict[Any, Any]) -> Runner:
    """A run of this host that has not begun, with the values of its `RunVar`s."""
    wakeup = _Wakeup()
    runner = Runner(
        clock=clock,
        instruments=_Instruments(()),
        io_manager=_NoIO(),
        system_context=contextvars.Context(),
        ki_manager=_ki.KIManager(),
        strict_exception_groups=True,
        entry_queue=_entry_queue.EntryQueue(wakeup=wakeup),  # type: ignore[arg-type]
        asyncgens=AsyncGenerators(),
        waiting_for_idle=_WaitingForIdle(),
        locals=run_vars,
    )
    wakeup.runner, runner.host = runner, host
    return runner


class _Instruments(dict[str, Any]):
    """Trio's `Instruments`, as a dictionary in C: the loop asks it five questions a pass."""

    data = property(lambda self: self)
    add_instrument: Any = _instrumentation.Instruments.add_instrument
    remove_instrument: Any = _instrumentation.Instruments.remove_instrument
    call: Any = _instrumentation.Instruments.call

    def __init__(self, incoming: tuple[trio.abc.Instrument, ...]) -> None:
        super().__init__({"_all": {}})
        for instrument in incoming:
            self.add_instrument(instrument)


class _WaitingForIdle(dict[Any, Any]):
    """Trio's sorted dictionary of who waits for all tasks to be blocked; there is hardly ever anyone."""

    def keys(self) -> Any:
        return sorted(super().keys())

    def peekitem(self, index: int) -> Any:
        key = self.keys()[index]
        return key, self[key]


class _NoIO:
    """An I/O manager without I/O: there is nothing real to wait for in a simulated process."""

    process_events = staticmethod(len)
    """Called every pass with the events, of which there are none; the cheapest thing that can be called."""

    def close(self) -> None:
        pass

    def force_wakeup(self) -> None:
        pass

    def statistics(self) -> SimpleNamespace:
        return SimpleNamespace(backend="epoll", tasks_waiting_read=0, tasks_waiting_write=0)

    def __getattr__(self, name: str) -> NoReturn:
        raise NotSimulated(
            f"trio.lowlevel.{name}() waits for a real file descriptor, and a simulated process has none: "
            "use trio's sockets and streams"
        )


class _Wakeup:
    """What is told when there is something to be run soon; Trio's own is a pair of real sockets."""

    runner: Runner

    def __init__(self) -> None:
        self.is_woken = False
        self._sleeper: Task | None = None

    def wakeup_thread_and_signal_safe(self) -> None:
        if self.is_woken:
            return
        self.is_woken = True
        if self._sleeper is None:
            self.runner.run_soon()
        else:
            sleeper, self._sleeper = self._sleeper, None
            self.runner.reschedule(sleeper)

    async def wait_woken(self) -> None:
        if not self.is_woken:
            self._sleeper = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        self.is_woken = False

    def _give_up(self, _: object) -> Abort:
        self._sleeper = None
        return Abort.SUCCEEDED

    def wakeup_on_signals(self) -> None:
        pass

    def close(self) -> None:
        pass
