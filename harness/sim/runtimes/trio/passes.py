"""The passes of a Trio run: Trio's own loop, less what a simulated process has no use for.

Tasks, nurseries, cancel scopes, deadlines and their order are Trio's; only the loop that steps the tasks is
here, because much of a simulation's time is spent in it and Trio's asks at every step about instruments, I/O
and a clock that might have moved. Between two passes all of a run's state is in its `Runner`, so that either
loop can make the next one. Trio's own makes the last one, those in which someone waits for all tasks to be
blocked, and those that an instrument watches; it also takes over when something inside breaks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from heapq import heappop
from math import inf
from operator import attrgetter
from typing import Any, Protocol

import trio._core._run as _run
import trio._core._traps as _traps
from outcome import Error, Outcome, Value
from trio.lowlevel import Task

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_RUN: Any = _run
_OUR_FRAMES = range(1 + _run.CONTEXT_RUN_TB_FRAMES)
"""The innermost frames of an exception's traceback that belong to whoever steps the task."""
_by_age = attrgetter("_counter")


class Host(Protocol):
    """The process that a run belongs to."""

    batch: list[Task]
    """The tasks that still have to run in this pass, the next one last."""
    passes: int
    """How many passes were made; each is a moment at which the process could have died."""
    crash_pass: int
    """In place of which pass it is to die; 0 for none."""
    crash: Callable[[], object]
    """Lets it die; what is left of the batch is taken out."""
    can_run: bool
    """Whether it may run another line: it is not stopped, killed or over."""
    livelock_pass: int
    """From which pass on it is taken to go round and round without ever waiting."""

    def order(self, batch: list[Task]) -> None:
        """Order at least two tasks that are ready together; they come in order of creation."""


def passes(runner: Any, main: Callable[[], Awaitable[object]]) -> Generator[bool, None, None]:
    """Make passes up to where every task waits, or its host may not go on.

    Yields whether there is nothing to do before the next deadline. Raises: trio.TrioInternalError.
    """
    trio_loop = _TrioLoop(runner, main)
    runq, tasks, deadlines, clock = runner.runq, runner.tasks, runner.deadlines, runner.clock
    instruments, waiting_for_idle = runner.instruments["_all"], runner.waiting_for_idle
    host: Host = runner.host
    trios_turn = False
    try:
        context = _CONTEXT.__dict__  # This thread's, which is not the same one for ever.
        context["runner"] = runner
        runner.init_task = runner.spawn_impl(runner.init, (main, ()), None, "<init>", system_task=True)
        _step(runner, runq.pop(), context)  # All that it does is to start the main task.
        while tasks:
            context = _CONTEXT.__dict__
            context["runner"] = runner
            if trios_turn or waiting_for_idle or instruments:
                # Once more after the last one has ceased to wait, lest Trio's loop stay primed to wake it.
                trios_turn = bool(waiting_for_idle)
                try:
                    yield trio_loop.next_pass() > 0
                except StopIteration:
                    return
                continue
            while True:
                now_s = clock.current_time()
                heap = deadlines._heap
                if heap and heap[0][0] <= now_s:
                    deadlines.expire(now_s)
                host.passes = made = host.passes + 1
                if len(runq) == 1 and made != host.crash_pass:
                    _step(runner, runq.popleft(), context)
                else:
                    host.batch = batch = sorted(runq, key=_by_age)
                    runq.clear()
                    if made == host.crash_pass:
                        host.crash()
                    if len(batch) > 1:
                        host.order(batch)
                    while batch:
                        _step(runner, batch.pop(), context)
                if waiting_for_idle or instruments or not host.can_run or made >= host.livelock_pass:
                    yield False
                    break
                if runq:
                    continue
                if not tasks:
                    break
                heap = deadlines._heap
                while heap and heap[0][0] != heap[0][2]._registered_deadline:
                    heappop(heap)  # Trio leaves entries in the heap whose scope has another deadline now.
                clock.deadline_s = deadline_s = heap[0][0] if heap else inf
                if deadline_s > now_s:
                    yield True
                    break
        trio_loop.finish()
    except GeneratorExit:
        trio_loop.close()
        raise
    except BaseException as error:
        trio_loop.throw(error)
        raise


class _TrioLoop:
    """Trio's own loop, which is started when it is needed, in a run that is under way."""

    def __init__(self, runner: Any, main: Callable[[], Awaitable[object]]) -> None:
        self._runner, self._main, self._make = runner, main, _RUN.unrolled_run
        self._is_started = False
        self._loop: Any = None

    def next_pass(self) -> float:
        """Make one, but for the first time: then only look how long there is nothing to do, and return that.

        Raises: StopIteration when the run is over; trio.TrioInternalError.
        """
        return self._loop.send(()) if self._is_started else self._start()

    def finish(self) -> None:
        """The run is over: what Trio's loop does when it finds no tasks any more."""
        if self._is_started:
            with suppress(StopIteration):
                self._loop.send(())
        else:
            _CONTEXT.__dict__.clear()
            self._runner.close()

    def throw(self, error: BaseException) -> None:
        """Let it clean up, and say what is to be said. Raises: trio.TrioInternalError."""
        if not self._is_started:
            self._runner.tasks.add(self._runner.init_task)  # Without any task it would just return.
            self._start()
        self._loop.throw(error)

    def close(self) -> None:
        """Let it warn of a run that was abandoned."""
        if not self._is_started:
            self._start()
        self._loop.close()

    def _start(self) -> float:
        self._is_started = True
        self._loop = self._make(self._runner, self._main, (), host_uses_signal_set_wakeup_fd=True)
        runner, init_task = self._runner, self._runner.init_task
        runner.spawn_impl = lambda *_, **__: init_task  # There is one already.
        try:
            idle_s: float = self._loop.send(None)
            return idle_s
        finally:
            del runner.spawn_impl


def _step(runner: Any, task: Any, context: dict[str, Any]) -> None:
    """Let one task run up to where it waits next."""
    context["task"] = task
    send, sent = task._next_send_fn, task._next_send
    task._next_send_fn = task._next_send = None
    try:
        trap = task.context.run(send, sent)
        sent = None  # What was cancelled holds this frame, by those between; it must not be held in turn.
    except StopIteration as stop:
        ended: Outcome[Any] = Value(stop.value)
    except BaseException as error:
        ended = Error(error.with_traceback(_without_ours(error)))
    else:
        task._schedule_points += 1
        if type(trap) is _traps.WaitTaskRescheduled:
            task._cancel_points += 1
            task._abort_func = trap.abort_func
            if runner.ki_pending and task is runner.main_task:
                task._attempt_delivery_of_pending_ki()
            if task._cancel_status.effectively_cancelled:
                task._attempt_delivery_of_any_pending_cancel()
        else:
            _obey(runner, task, trap)
        del context["task"]
        return
    sent = None
    runner.task_exited(task, ended)
    del context["task"], ended


def _without_ours(error: BaseException) -> Any:
    frame = error.__traceback__
    for _ in _OUR_FRAMES:
        frame = frame.tb_next if frame is not None else None
    return frame


def _obey(runner: Any, task: Any, trap: object) -> None:
    """What else a task may yield: the rare things."""
    if trap is _traps.CancelShieldedCheckpoint:
        runner.reschedule(task)
    elif type(trap) is _traps.PermanentlyDetachCoroutineObject:
        runner.task_exited(task, trap.final_outcome)
    else:
        foreign = TypeError(
            f"Trio does not know what {trap!r} is, which a task has yielded: is it of another framework?"
        )
        runner.reschedule(task, foreign)
        task._next_send_fn = task.coro.throw  # It would not unwrap an outcome.
