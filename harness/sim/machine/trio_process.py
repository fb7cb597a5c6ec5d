"""A simulated process that runs a Trio program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import trio
from outcome import Error, Outcome
from trio.lowlevel import Abort, Task

from ostrakon.harness.sim.kernel.errors import SimulationError
from ostrakon.harness.sim.kernel.kernel import NEVER_NS, Kernel
from ostrakon.harness.sim.machine.process import Process, Program, Waits, contains
from ostrakon.harness.sim.runtimes.trio.run import Trap, TrioRun, park

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine.machine import Machine


_UNCANCELLABLE = Trap(lambda _: Abort.FAILED)
_UNTIL_CANCELLED = Trap(lambda _: Abort.SUCCEEDED)


class TrioProcess(Process):
    """One real Trio run."""

    def __init__(self, kernel: Kernel, machine: Machine, program: Program, incarnation: int) -> None:
        super().__init__(kernel, machine, incarnation)
        self.batch: list[Task] = []
        """The tasks that still have to run in this pass; Trio takes them out one by one."""
        self._program, self._world, self._number = program, machine.world, machine.number
        self._stranded: list[Task] = []
        self._scope = trio.CancelScope()
        self.livelock_pass = 0
        """The pass at which it counts as a livelock."""
        self._run = TrioRun(self._main, machine.clock, self, machine.socket_factory, machine.resolver)
        self._ready, self._waiting_for_idle = self._run.queue, self._run.waiting_for_idle
        self._advance_run = self._run.advance
        self.reschedule = self._run.rescheduling(kernel.ready)  # type: ignore[method-assign, assignment]
        kernel.make_ready(self)

    @property
    def is_alone(self) -> bool:
        """Whether only the running task could run now; then it need not let others go first."""
        return not self.batch and not self._ready

    @property
    def waits(self) -> Waits:
        """Its tasks, in order of creation, and where they wait."""
        return [(task, task.name, task.iter_await_frames()) for task in self._run.tasks]

    async def checkpoint(self) -> None:
        """Raise a cancellation that is due, and let other tasks of this process run first."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.is_alone:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def checkpoint_if_cancelled(self) -> None:
        """Raise a cancellation that is due."""
        await trio.lowlevel.checkpoint_if_cancelled()

    async def wait_ns(self, delay_ns: int) -> None:
        """Let the task at work wait for so much true time; it cannot be cancelled."""
        self._kernel.call_at(self._kernel.now_ns + delay_ns, self.reschedule, trio.lowlevel.current_task())
        await park(_UNCANCELLABLE)

    async def wait_cancelled(self) -> None:
        """Let the task at work wait until it is cancelled."""
        await park(_UNTIL_CANCELLED)

    def set_alarm(self) -> None:
        """Have the kernel wake this process at its next deadline, or when someone waits for quiet."""
        self._alarm_ns = NEVER_NS if self._deadline_s == inf else self._clock.true_ns(self._deadline_s)
        cushion_s = self._run.cushion_s
        if cushion_s is not None:
            self._alarm_ns = min(self._alarm_ns, self._kernel.now_ns + int(cushion_s * 1e9))
            self._deadline_s = -inf  # So that the next tick looks again.
        if self._alarm_ns < self._scheduled_ns:
            self._schedule_alarm()

    def kill(self) -> None:
        """SIGKILL: no further line of it runs."""
        super().kill()
        if self._kernel.current is self:
            self._stranded = self.batch[:]
            self.batch.clear()

    def unwind(self) -> None:
        """End it after the fact, whatever state it is in, so that no coroutine is left behind."""
        if self._outcome is None:
            self._run.put_back(self._stranded)
            self._stranded = []
        super().unwind()

    def abandon(self) -> None:
        """Give up on it; Trio would complain if it were thrown away."""
        self._run.abandon()

    def order(self, batch: list[Task]) -> None:
        """Let the schedule order at least two tasks that are ready together."""
        kernel = self._kernel
        kernel.schedule.order(batch)
        if kernel.choice_log is not None:
            kernel.note_choice("order of tasks", *(task.name for task in reversed(batch)))

    def tick(self) -> None:
        """Run until every task waits. Called by the kernel."""
        if self._blocked is not None:
            super().tick()
            return
        # As in `Process.tick`, without a call in between: a line that is handed on takes one tick.
        kernel = self._kernel
        kernel.current = self
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, self._number))
        if kernel.choice_log is not None:
            kernel.note_choice("run")
        self.livelock_pass = self.passes + self._world.passes_max
        try:
            while not self._advance_run():
                if not self.can_run:
                    return
                if self.passes >= self.livelock_pass:
                    self._suspect_livelock()
                    return
            deadline_s = self._clock.deadline_s
            if deadline_s != self._deadline_s or self._waiting_for_idle:
                self._deadline_s = deadline_s
                self.set_alarm()
        except StopIteration:
            self._end()
        except trio.TrioInternalError as error:
            self._give_up(error)
        finally:
            kernel.current = None

    def _within(self, call: Callable[[], object]) -> None:
        self._run.within(call)

    def leave_loop(self) -> Callable[[], None]:
        """Hide the run from the code at work, as in a thread; call what this returns to show it again."""
        return self._run.hide()

    def _suspend(self) -> Callable[[], None]:
        return self._run.suspend()

    def _cancel(self) -> None:
        self._run.within(self._scope.cancel)

    def _result(self) -> Outcome[Any] | None:
        result = self._run.outcome
        self._run.take_apart()
        return result

    async def _main(self) -> object:
        trio.lowlevel.current_task().name = _name_of(self._program)
        with self._scope:
            await trio.lowlevel.checkpoint_if_cancelled()
            return await self._program()
        return None

    def _give_up(self, error: trio.TrioInternalError) -> None:
        self._outcome = Error(error)
        self.can_run = False
        if error.__cause__ is not None and contains(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise SimulationError(f"Trio broke inside {self.name}: {error.__cause__ or error}") from error


def _name_of(program: Program) -> str:
    """The name that Trio gives the task of a function."""
    if isinstance(program, partial):
        program = program.func
    try:
        return f"{program.__module__}.{program.__qualname__}"
    except AttributeError:
        return repr(program)
