"""One asyncio program, advanced by hand, one pass of its event loop at a time.

A program is an async function, or an ordinary one that calls `asyncio.run` itself. Around an async function
happens what `asyncio.run` does: it is the first task; when it is over, the other tasks are cancelled, the
async generators that are left are closed, and then the loop is. An ordinary function runs as if in a thread,
and `run_forever` makes that thread wait while passes are made, until the loop is told to stop.

The ready queue is first in, first out, as asyncio documents of `call_soon`. What comes from outside in one
pass has no order of its own, and the schedule gives it one: sockets that are ready together, and timers that
are due at the same time. With `shuffle`, the schedule also orders the steps of tasks within a pass, which
asyncio happens to run in the order of their wake-ups and promises nothing about; callbacks stay in place.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from asyncio import base_events, events, tasks
from collections.abc import Callable, Generator, Iterator
from math import inf
from types import FrameType
from typing import TYPE_CHECKING, Any

from outcome import Error, Outcome, Value

from ostrakon.harness.sim.kernel.errors import NotSimulated
from ostrakon.harness.sim.kernel.kernel import NEVER_NS
from ostrakon.harness.sim.kernel.threads import MAIN_THREAD, BlocksUntil, SimThread
from ostrakon.harness.sim.runtimes.asyncio.loop import (
    Program,
    SimulatedEventLoop,
    SimulatedTask,
    Timer,
    tasks_of,
)
from ostrakon.harness.sim.runtimes.asyncio.selector import Interest

if TYPE_CHECKING:
    from ostrakon.harness.sim.runtimes.asyncio.host import Process

_LOGGER = logging.getLogger("asyncio")
_format_handle: Callable[[Any], str] = vars(base_events)["_format_handle"]
_EVENTS: Any = events
_TASKS: Any = tasks
_set_running_loop: Callable[[Any], None] = _EVENTS._set_running_loop
_get_running_loop: Callable[[], Any] = _EVENTS._get_running_loop
_abandoned: list[AsyncioRun] = []


class AsyncioRun:
    """The program of one process."""

    passes_at_once = 100
    """How many passes `advance` makes at most before it returns, so that its caller can notice a livelock."""

    def __init__(self, process: Process, program: Program, *, shuffle: bool = False) -> None:
        self.loop = SimulatedEventLoop(process)
        """The loop that runs, or ran last."""
        self._is_handed_out = False
        """Whether the program has the loop, or has none yet."""
        self.outcome: Outcome[Any] | None = None
        """How the program ended; None while it has not."""
        self._process, self._program, self._shuffles = process, program, shuffle
        self._context = contextvars.Context()
        self._main: SimulatedTask | None = None
        self._thread: SimThread | None = None
        """The program, as long as it is an ordinary function that has not returned."""
        self._is_blocked = False
        """Whether that function blocks, and no loop runs meanwhile."""
        self._is_cancelled = False
        self._life = self._live()
        self.hooks = self.loop._asyncgen_firstiter_hook, self.loop._asyncgen_finalizer_hook
        """What Python is to call for async generators while this loop is at work."""
        self._is_started = False
        self.selector = self.loop._selector
        """What its sockets tell that they may be ready."""
        self.queue = self.loop._ready
        """The callbacks of the next pass."""

    def advance(self) -> bool:
        """Make some passes. Returns whether there is nothing more to do before the next deadline.

        Raises: StopIteration when the program is over.
        """
        # One function, for much time of a simulation is spent here: two passes for each line that comes.
        loop, process, ready, selector = self.loop, self._process, self.queue, self.selector
        timers, clock, shuffles = loop.timers, process.clock, self._shuffles
        now_s = clock.current_time()  # Time stands still while a process runs.
        _set_running_loop(loop)
        try:
            if loop._debug:
                loop._set_coroutine_origin_tracking(True)
            if not self._is_started:
                self._is_started = True
                self._go_on()
                return False  # The loop may be another now.
            if self._is_blocked:
                clock.deadline_s = inf
                return True
            for _ in range(self.passes_at_once):
                process.passes = passes = process.passes + 1
                if passes == process.crash_pass:
                    process.crash()
                if not process.can_run:
                    return False
                polled: list[Interest] | tuple[()] = ()
                if selector.fired:
                    polled, selector.fired = selector.fired, []
                    if len(polled) > 1:
                        self._order("order of sockets", polled, _number_of)
                    for interest in polled:
                        if interest.handle is not None:
                            ready.append(interest.handle)
                if timers and timers[0][0] <= now_s:
                    self._collect_timers(now_s)
                count, is_in_debug_mode = len(ready), loop._debug
                if shuffles and count > 1:
                    self._shuffle_steps()
                try:
                    while count and ready:
                        count -= 1
                        handle = ready.popleft()
                        if handle._cancelled:
                            continue
                        try:
                            if is_in_debug_mode:
                                self._call_slowly(handle)
                            else:
                                handle._context.run(handle._callback, *handle._args)
                        except (SystemExit, KeyboardInterrupt):
                            raise
                        except BaseException as error:
                            loop.callback_failed(handle, error)
                        if not process.can_run:
                            break
                except (SystemExit, KeyboardInterrupt) as error:
                    loop._stopping = False
                    self._go_on(error)
                    return False
                handle = None  # An exception that is kept keeps this frame, and with it what is named here.
                for interest in polled:
                    # Level-triggered, as epoll is for asyncio: what is still ready has another turn.
                    if interest.handle is not None and interest.poll(interest):
                        selector.fired.append(interest)
                if loop._stopping:
                    loop._stopping = False
                    self._go_on()
                    return False
                if not ready and not selector.fired:
                    while timers and timers[0][2]._cancelled:
                        loop.drop_timer()
                    clock.deadline_s = deadline_s = timers[0][0] if timers else inf
                    if deadline_s > now_s:
                        return True
            return False
        finally:
            if loop._coroutine_origin_tracking_enabled:
                loop._set_coroutine_origin_tracking(False)
            _set_running_loop(None)

    def _call_slowly(self, handle: Any) -> None:
        """Call what a handle holds, and log it if it blocks for long, as asyncio does in debug mode."""
        began_s = self._process.clock.current_time()
        handle._context.run(handle._callback, *handle._args)
        took_s = self._process.clock.current_time() - began_s
        if took_s >= self.loop.slow_callback_duration:
            _LOGGER.warning("Executing %s took %.3f seconds", _format_handle(handle), took_s)

    def within(self, call: Callable[[], object]) -> None:
        """Call something that needs to be inside this loop, from anywhere."""
        outer = _EVENTS._get_running_loop()
        _set_running_loop(self.loop)
        try:
            self._context.run(call)
        finally:
            _set_running_loop(outer)

    def suspend(self) -> Callable[[], None]:
        """Leave the step at work, because its code blocks; call what this returns to go on with it."""
        loop = self.loop
        running = _get_running_loop()  # None when threads are ended after the program.
        task = asyncio.current_task(loop)
        if task is not None:
            _TASKS._leave_task(loop, task)
        _set_running_loop(None)

        def go_on() -> None:
            _set_running_loop(running)
            if task is not None:
                _TASKS._enter_task(loop, task)

        return go_on

    def new_loop(self) -> SimulatedEventLoop:
        """What `asyncio.new_event_loop` gives a program that is an ordinary function: one after another.

        Raises: NotSimulated if it has one.
        """
        is_program = self._thread is not None and self._process.thread is self._thread
        if not is_program or (self._is_handed_out and not self.loop.is_closed()):
            raise NotSimulated(
                f"a second event loop is not simulated (made by {self._process.name}): a process has one "
                "event loop at a time, and its program runs it"
            )
        if self.loop.is_closed():
            self.loop = SimulatedEventLoop(self._process)
            self.selector, self.queue = self.loop._selector, self.loop._ready
            self.hooks = self.loop._asyncgen_firstiter_hook, self.loop._asyncgen_finalizer_hook
        self._is_handed_out = True
        return self.loop

    def wait_stopped(self) -> None:
        """What `run_forever` does for a program that is an ordinary function: wait until the loop is stopped.

        Raises: RuntimeError if it is none, for then its loop is running already.
        """
        if self._thread is None or self._process.thread is not self._thread:
            raise RuntimeError("This event loop is already running")
        self._thread.call(_wait_stopped)

    def cancel(self) -> None:
        """Cancel the program, or if it is over, whatever still runs."""
        self._is_cancelled = True
        if self._thread is not None:
            self._unblock()
            for task in tasks_of(self.loop):
                task.cancel()
            return
        if self._main is None or not self._main.done():
            if self._main is not None:
                self._main.cancel()
            return
        for task in tasks_of(self.loop):
            task.cancel()

    def lose_connections(self) -> None:
        """The operating system has closed them, so that nothing is left to wait for there."""
        for transport in list(self.loop._transports.values()):
            transport.abort()

    def take_apart(self) -> None:
        """It is over. What is left of it need not wait for the garbage collector."""
        self._life.close()
        self._main = None
        self._close_quietly()

    def _close_quietly(self) -> None:
        # The operating system closes what it has left open. Nobody needs to be warned of that.
        for transport in list(self.loop._transports.values()):
            if (tls := getattr(transport.get_protocol(), "_app_transport", None)) is not None:
                tls._closed = True
            transport._closing, transport._sock = True, None

    def abandon(self) -> None:
        """Give up on a program that will not end. asyncio is not to complain when it is thrown away."""
        for task in tasks_of(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._close_quietly()
        _abandoned.append(self)

    @property
    def waits(self) -> list[tuple[object, str, list[tuple[FrameType, int]]]]:
        """Of each task that is not done, in order of creation: the interest in a socket that it waits for, or
        itself; its name; and the frames in which it waits, outermost first, with their lines."""
        interests = dict(self._awaited_at_sockets())
        return [
            (interests.get(id(task.awaited), task), task.get_name(), list(_await_frames(task.get_coro())))
            for task in tasks_of(self.loop)
        ]

    def _awaited_at_sockets(self) -> Iterator[tuple[int, Interest]]:
        """The ids of futures that are done when there is something to read, and whose reading that is."""
        for interest in self.selector.readings:
            handle: Any = interest.handle
            owner = getattr(handle._callback, "__self__", None)
            if isinstance(owner, asyncio.BaseTransport):  # Of a stream, or of TLS around one.
                protocol: Any = owner.get_protocol()
                protocol = getattr(protocol, "_app_protocol", protocol)
                future = getattr(getattr(protocol, "_stream_reader", None), "_waiter", None)
            else:  # Of `sock_recv` and its like.
                future = handle._args[0] if handle._args else None
            if future is not None:
                yield id(future), interest

    def _live(self) -> Generator[None, None, None]:
        """Everything from the first line of the program to the end of the loop.

        Yields whenever passes are to be made until the loop is told to stop.
        """
        if self._is_cancelled:
            self.outcome = Value(None)
            self.loop.close()
            return
        if inspect.iscoroutinefunction(self._program):
            coroutine: Any = self._program()
        else:
            called = yield from self._live_in_thread()
            coroutine = called.value if isinstance(called, Value) else None
            if not inspect.isawaitable(coroutine):
                self.outcome = called
                self.loop.close()
                return
        loop = self.loop
        loop._thread_id = MAIN_THREAD
        self._main = loop.create_task(coroutine)
        outcome = yield from self._until_done(self._main)
        yield from self._cancel_rest()
        if len(loop._asyncgens):
            ended = yield from self._until_done(loop.create_task(loop.shutdown_asyncgens()))
            outcome = ended if isinstance(ended, Error) and isinstance(outcome, Value) else outcome
        if loop._default_executor is not None and not self._is_cancelled:
            yield from self._until_done(loop.create_task(loop.shutdown_default_executor()))
        loop._thread_id = None
        loop.close()
        has_obeyed = isinstance(outcome, Error) and isinstance(outcome.error, asyncio.CancelledError)
        self.outcome = Value(None) if has_obeyed and self._is_cancelled else outcome

    def _live_in_thread(self) -> Generator[None, None, Outcome[Any]]:
        """Run the program as an ordinary function; what it returns may still be the coroutine to run."""
        thread = self._thread = SimThread(
            self._process, self._program, (), contextvars.Context(), is_main=True
        )
        answer: Outcome[Any] | None = None
        thread.advance()
        while (request := thread.request) is not None:
            if isinstance(request, BlocksUntil):
                yield from self._blocked(request.until_ns)
                answer = None
            else:
                answer = yield from self._until_stopped()
            if self._is_cancelled and isinstance(request, BlocksUntil):
                thread.stop()
                break
            thread.advance(answer)
        self._thread = None
        return thread.outcome or Value(None)

    def _until_stopped(self) -> Generator[None, None, Outcome[None]]:
        loop = self.loop
        loop._thread_id = MAIN_THREAD
        try:
            yield
        except BaseException as error:  # What has gone through the loop, and goes on to who runs it.
            return Error(error)
        finally:
            loop._thread_id = None
        return Value(None)

    def _blocked(self, until_ns: int) -> Generator[None, None, None]:
        kernel = self._process.kernel
        self._is_blocked = True
        if until_ns < NEVER_NS:
            kernel.call_at(until_ns, self._unblock)
        yield
        self._is_blocked = False

    def _unblock(self) -> None:
        if self._is_blocked:
            self._is_blocked = False
            self.loop._stopping = True
            self._process.wake()

    def _until_done(self, future: asyncio.Future[Any]) -> Generator[None, None, Outcome[Any]]:
        future.add_done_callback(self._stop)
        try:
            yield
        except BaseException as error:  # What is meant for the interpreter, not for the loop.
            future.remove_done_callback(self._stop)
            if future.done() and not future.cancelled():
                future.exception()  # It is not to be logged as never retrieved.
            return Error(error)
        if not future.done():
            future.remove_done_callback(self._stop)
            return Error(RuntimeError("Event loop stopped before Future completed."))
        try:
            return Value(future.result())
        except BaseException as error:
            return Error(error)

    def _stop(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), SystemExit | KeyboardInterrupt):
            return  # It has gone through the loop already.
        self.loop.stop()

    def _cancel_rest(self) -> Generator[None, None, None]:
        loop = self.loop
        rest = tasks_of(loop)
        for task in rest:
            task.cancel()
        if not rest:
            return
        yield from self._until_done(asyncio.gather(*rest, return_exceptions=True))
        for task in rest:
            if task.done() and not task.cancelled() and task.exception() is not None:
                loop.call_exception_handler(
                    {
                        "message": "unhandled exception during asyncio.run() shutdown",
                        "exception": task.exception(),
                        "task": task,
                    }
                )

    def _go_on(self, error: BaseException | None = None) -> None:
        """Decide what follows when the loop was told to stop or an error has left it."""
        if error is None:
            self._context.run(next, self._life)
        else:
            self._context.run(self._life.throw, error)

    def _collect_timers(self, now_s: float) -> None:
        """Queue what is due, in the order of the times that were asked for."""
        timers, due = self.loop.timers, list[Timer]()
        while timers and timers[0][0] <= now_s:
            timer = self.loop.drop_timer()
            if due and due[-1][0] != timer[0]:
                self._queue_timers(due)
                due = []
            if not timer[2]._cancelled:
                due.append(timer)
        self._queue_timers(due)

    def _queue_timers(self, due: list[Timer]) -> None:
        if len(due) > 1:
            self._order("order of timers", due, lambda timer: timer[1])
        self.queue.extend(timer[2] for timer in due)

    def _shuffle_steps(self) -> None:
        """Let the schedule say which of the tasks goes first that are to go on in this pass."""
        handles = list(self.queue)
        steps = [(at, task) for at, handle in enumerate(handles) if (task := _task_of(handle)) is not None]
        if len(steps) < 2:
            return
        by_task = {task: handles[at] for at, task in steps}
        if len(by_task) < len(steps):
            return  # Something else than a step was asked of a task; leave them alone.
        order = [task for _, task in steps]
        self._order("order of tasks", order, lambda task: task.get_name())
        for (at, _), task in zip(steps, order, strict=True):
            handles[at] = by_task[task]
        self.queue.clear()
        self.queue.extend(handles)

    def _order(self, what: str, batch: list[Any], shown: Callable[[Any], str | int]) -> None:
        kernel = self._process.kernel
        kernel.schedule.order(batch)
        batch.reverse()  # A schedule puts last what goes first.
        if kernel.choice_log is not None:
            kernel.note_choice(what, *map(shown, batch))


def _number_of(interest: Interest) -> int:
    return interest.fileno


def _task_of(handle: Any) -> Any:
    """The task that this callback steps or wakes; None if it is any other callback."""
    owner = getattr(handle._callback, "__self__", None)
    return owner if isinstance(owner, asyncio.Task) and not handle._cancelled else None


def _wait_stopped() -> None:
    """A marker that is never called: the program waits until the loop is stopped."""


def _await_frames(coroutine: Any) -> Iterator[tuple[FrameType, int]]:
    while coroutine is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(coroutine, f"{kind}_frame")), None)
        if kind is None:
            return
        frame = getattr(coroutine, f"{kind}_frame")
        if frame is not None:
            yield frame, frame.f_lineno
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
