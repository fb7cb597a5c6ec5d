"""One simulated process: one run of Trio or of asyncio, advanced by the kernel.

It can be stopped in its tracks (SIGSTOP), killed without running another line (SIGKILL), or cancelled. A
killed process stays frozen, with its suspended tasks, until the world closes; only then is it unwound, when
nothing it does can matter any more.

What is the same for every event loop is here; `trio_process.py` and `asyncio_process.py` have the rest.
"""

from __future__ import annotations

import errno
import random
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from math import inf
from types import FrameType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet
from outcome import Error, Outcome, Value

from ostrakon.harness.sim.kernel.kernel import NEVER_NS, Kernel
from ostrakon.harness.sim.kernel.threads import BlocksUntil, Held, SimThread, Waiter
from ostrakon.harness.sim.network.mailbox import Mailbox
from ostrakon.harness.sim.sandbox.exit import ExitFunctions
from ostrakon.harness.sim.sandbox.started_threads import PythonThreads

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.open_file import SimFile
    from ostrakon.harness.sim.machine.machine import Machine
    from ostrakon.harness.sim.network.endpoint import Endpoint

Program = Callable[[], Any]
"""An async function; for asyncio, an ordinary one that runs its event loop itself is a program, too."""
_FIRST_SOCKET = 1_000_000
Waits = Iterable[tuple[object, str, Iterable[tuple[FrameType, int]]]]
"""Of each task: itself, or what waits for it at a socket; its name; the frames in which it waits, outermost
first, and their lines."""


class Process:
    """One incarnation of a machine's program."""

    segment_gap_ns = 1
    """How much later than the one before it a segment arrives that has caught up with it."""

    def __init__(self, kernel: Kernel, machine: Machine, incarnation: int) -> None:
        self.machine, self.incarnation = machine, incarnation
        self.name = f"{machine.name}#{incarnation}"
        """The machine and the incarnation: "n1#0"."""
        self.queued = False
        self.can_run = True
        """Whether the kernel may run it: it is not paused, killed or done."""
        self.sockets: dict[Endpoint, None] = {}
        self.socket_numbers = count(_FIRST_SOCKET)
        """The file descriptors that its sockets show; each is used once."""
        self.files: dict[int, SimFile | None] = {}
        """Open files by their descriptor; None where one was closed."""
        self.umask = 0o022
        """The permissions that new files do not get (umask)."""
        self.collects_garbage = True
        """What `gc.isenabled` returns in it; the real collector is off while a world runs."""
        self.signal_handlers: dict[int, Any] = {}
        self.passes = 0
        """The number of batches of its tasks that ran; a crash can replace each of them."""
        self.crash_pass = 0
        self.crash: Callable[[], object] = machine.kill
        self.thread: SimThread | None = None
        """The function that runs as if in a thread of this process just now."""
        self.threads: dict[SimThread, None] = {}
        """All such functions that have begun and have not ended."""
        self.python_threads = PythonThreads()
        self.exit_functions = ExitFunctions()
        self.locks: dict[Any, Held] = {}
        """The locks of `threading` that it holds."""
        self.waiting_for: dict[Any, deque[Any]] = {}
        """The functions that wait for an item, by queue."""
        self.kernel = self._kernel = kernel
        self._blocked: greenlet | None = None
        """Where its code has blocked, and whether it may continue there."""
        self._may_go_on = False
        self._clock = machine.clock
        self._paused = self._killed = False
        self._deadline_s, self._alarm_ns, self._scheduled_ns = inf, NEVER_NS, NEVER_NS
        self._outcome: Outcome[Any] | None = None
        self.ended_ns: int | None = None
        """When its program returned or raised."""
        self._rng: random.Random | None = None
        self.seeded_random: random.Random | None = None
        """The generator of the functions of `random` after the program has called `random.seed`."""
        self._mailbox: Mailbox | None = None

    def __repr__(self) -> str:
        return f"<Process {self.name}, {self.state}>"

    @property
    def state(self) -> str:
        """`running`, `paused`, `killed`, `crashed` (an exception ended it) or `ended`."""
        if self._killed:
            return "killed"
        if self._outcome is not None:
            return "crashed" if self.error is not None else "ended"
        return "paused" if self._paused else "running"

    @property
    def done(self) -> bool:
        """Whether its program has returned or raised; one that was killed never does."""
        return self._outcome is not None and not self._killed

    @property
    def alive(self) -> bool:
        """Whether it exists, even if paused."""
        return self._outcome is None and not self._killed

    @property
    def unwound(self) -> bool:
        """Whether no coroutine of it is left."""
        return self._outcome is not None

    @property
    def error(self) -> BaseException | None:
        """The exception that ended it."""
        return self._outcome.error if isinstance(self._outcome, Error) else None

    @property
    def value(self) -> Any:
        """What the program returned; None if it has not."""
        return self._outcome.value if isinstance(self._outcome, Value) else None

    @property
    def rng(self) -> random.Random:
        """Whatever the program asks of `random`, `os.urandom`, `uuid` or `secrets` comes from here."""
        if self._rng is None:
            self._rng = self.machine.world.rng("process", self.machine.name, self.incarnation)
        return self._rng

    @property
    def mailbox(self) -> Mailbox:
        """Where it receives messages that do not travel over sockets."""
        if self._mailbox is None:
            self._mailbox = Mailbox(self)
        return self._mailbox

    @property
    def event_loop(self) -> Any:
        """Its event loop, if it runs asyncio."""
        return None

    @property
    def is_alone(self) -> bool:
        """Whether only the running task could run now; then it need not let others go first."""
        raise NotImplementedError

    @property
    def waits(self) -> Waits:
        """Its tasks, in order of creation, and where they wait."""
        raise NotImplementedError

    def tick(self) -> None:
        """Run until every task waits. Called by the kernel."""
        if self._blocked is not None:
            blocked, self._blocked = self._blocked, None
            self._kernel.resume(self, blocked)
            return
        kernel = self._kernel
        kernel.current = self
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, self.machine.number))
        if kernel.choice_log is not None:
            kernel.note_choice("run")
        try:
            self._advance()
        except StopIteration:
            self._end()
        finally:
            kernel.current = None

    def reschedule(self, waiter: Any, value: object = None) -> None:
        """Wake what waits in this process, from anywhere in the simulation."""
        raise NotImplementedError

    async def checkpoint(self) -> None:
        """Raise a cancellation that is due, and let other tasks of this process run first."""
        raise NotImplementedError

    async def checkpoint_if_cancelled(self) -> None:
        """Raise a cancellation that is due."""
        raise NotImplementedError

    async def wait_ns(self, delay_ns: int) -> None:
        """Let the task at work wait for so much true time, as for a system call: it cannot be cancelled."""
        raise NotImplementedError

    async def wait_cancelled(self) -> None:
        """Let the task at work wait until it is cancelled."""
        raise NotImplementedError

    def set_alarm(self) -> None:
        """Have the kernel wake this process at its next deadline, by the clock as it goes now."""
        self._alarm_ns = NEVER_NS if self._deadline_s == inf else self._clock.true_ns(self._deadline_s)
        if self._alarm_ns < self._scheduled_ns:
            self._schedule_alarm()

    def block(self, until_ns: int, waiter: Waiter | None = None) -> None:
        """Stand still in the middle of the code at work, up to a true time (NEVER_NS: for good), or until
        the waiter is due.

        Of a function that runs as if in a thread only that function stands still. In the main thread all
        tasks stand still, and other threads go on.

        Raises: OSError if the process is being unwound: nothing of it may show.
        """
        if self.thread is not None and not self.thread.is_main:
            self.thread.block(until_ns)
        else:
            self._block_main_thread(until_ns, waiter)
        self.require_alive()

    def require_alive(self) -> None:
        """Raises: OSError if the process was killed or its world is closing: nothing of it may show."""
        if self._killed or self.machine.world.closing:
            raise OSError(errno.EIO, f"{self.name} is gone")

    def pause(self) -> None:
        """SIGSTOP."""
        self._paused, self.can_run = True, False

    def resume(self) -> None:
        """SIGCONT. What arrived meanwhile is seen before the timeouts that expired meanwhile."""
        if self._paused and self.alive:
            self._paused, self.can_run = False, self._blocked is None or self._may_go_on
            self._kernel.make_ready(self)

    def signal(self, number: int) -> bool:
        """Deliver a signal to the handler that the program has installed for it; False if there is none."""
        handler = self.signal_handlers.get(number)
        if not self.alive or not callable(handler):
            return False
        self._within(lambda: handler(number, None))
        self._kernel.make_ready(self)
        return True

    def cancel(self) -> None:
        """Cancel the program."""
        if self.alive:
            self._cancel()
            self._kernel.make_ready(self)

    def kill(self) -> None:
        """SIGKILL: no further line of it runs."""
        self._killed, self.can_run = True, False

    def crash_at(self, passes: int, crash: Callable[[], object] | None = None) -> None:
        """Let it die in place of its batch number `passes`, counted from 1: at an await, chosen exactly.

        It is killed, unless `crash` does something else, such as cutting its machine's power.
        """
        self.crash_pass = passes
        if crash is not None:
            self.crash = crash

    def unwind(self) -> None:
        """End it after the fact, whatever state it is in, so that no coroutine is left behind."""
        if self._outcome is None:
            self._paused, self.can_run = False, True
            self.crash_pass = 0
            self._cancel()
            self._kernel.make_ready(self)

    def abandon(self) -> None:
        """Abandon a program that does not end when it is unwound."""
        raise NotImplementedError

    # What an event loop has its own way of.

    def _advance(self) -> None:
        """Run until every task waits, or the process may not run any more.

        Raises: StopIteration when the program is over.
        """
        raise NotImplementedError

    def _within(self, call: Callable[[], object]) -> None:
        """Call something that needs to be inside the event loop."""
        raise NotImplementedError

    def leave_loop(self) -> Callable[[], None]:
        """Hide the event loop from the code at work, as in a thread; call what this returns to undo that."""
        raise NotImplementedError

    def _suspend(self) -> Callable[[], None]:
        """Let other processes use the thread in the middle of a step; call what this returns to go on."""
        raise NotImplementedError

    def _cancel(self) -> None:
        """Cancel the program, whether it has begun or not."""
        raise NotImplementedError

    def _result(self) -> Outcome[Any] | None:
        """How the program has ended; the event loop is needed no more."""
        raise NotImplementedError

    # Below.

    def _block_main_thread(self, until_ns: int, waiter: Waiter | None) -> None:
        main = self.thread
        block = self._block if main is None else main.block
        while True:
            wake_ns = until_ns
            if threads := [thread for thread in self._threads() if thread is not main]:
                if any(self._go_on_in_thread(thread) for thread in threads):
                    if waiter is not None and waiter.is_due:
                        return
                    continue
                sleeps = (thread.request for thread in threads)
                wake_ns = min((until_ns, *(one.until_ns for one in sleeps if isinstance(one, BlocksUntil))))
            block(wake_ns)
            if self._kernel.now_ns >= until_ns or self._killed or self.machine.world.closing:
                return

    def _threads(self) -> Iterable[SimThread]:
        """Those that have begun, and those that are about to."""
        return dict.fromkeys((*self.threads, *self.python_threads.by_function))

    def _go_on_in_thread(self, thread: SimThread) -> bool:
        """Run a thread up to where it blocks next, if it may go on now."""
        request = thread.request
        if thread.has_begun and not (
            isinstance(request, BlocksUntil) and (thread.is_due or request.until_ns <= self._kernel.now_ns)
        ):
            return False
        thread.advance()
        if (ring := thread.ring) is not None:
            ring()  # The event loop is to look at it again, when it can.
        return True

    def _block(self, until_ns: int) -> None:
        kernel = self._kernel
        go_on = self._suspend()
        blocked = self._blocked = getcurrent()
        self.can_run = self._may_go_on = False
        kernel.current = None
        if until_ns < NEVER_NS:
            kernel.call_at(until_ns, self._unblock, blocked)
        kernel.block()
        kernel.current = self
        go_on()

    def _unblock(self, blocked: greenlet) -> None:
        if self._blocked is blocked and not self._killed:
            self._may_go_on, self.can_run = True, not self._paused
            self._kernel.make_ready(self)

    def _wait_until(self, deadline_s: float) -> None:
        """Everything waits, and nothing is to be done before this time of the machine's clock."""
        if deadline_s != self._deadline_s:
            self._deadline_s = deadline_s
            self.set_alarm()

    def _schedule_alarm(self) -> None:
        self._scheduled_ns = self._alarm_ns
        self._kernel.call_at(self._alarm_ns, self._ring, self._alarm_ns)

    def _ring(self, at_ns: int) -> None:
        # Timeouts are mostly put off before they expire. The event is then left in the heap and looks here
        # again when it comes up, which is cheaper than an event for every change.
        if at_ns != self._scheduled_ns:
            return
        self._scheduled_ns = NEVER_NS
        if self._alarm_ns <= self._kernel.now_ns:
            self._kernel.make_ready(self)
        elif self._alarm_ns < NEVER_NS:
            self._schedule_alarm()

    def _suspect_livelock(self) -> None:
        self.machine.world.livelocked = self
        self._kernel.halted = True
        self._kernel.call_at(self._kernel.now_ns, self._kernel.make_ready, self)

    def _end(self) -> None:
        # Python would end them when it finds them as garbage, at a moment that nobody has chosen.
        for thread in list(self.threads):
            thread.stop()
        if self._killed or self.machine.world.closing:
            self.exit_functions.forget()
        else:
            self.exit_functions.run()
        self._outcome = self._result()
        self.can_run = False
        self.ended_ns = self._kernel.now_ns
        error = self.error
        if error is not None and contains(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        if isinstance(error, SystemExit) and not error.code:
            self._outcome = Value(None)
        self._kernel.current = None  # What is told of its end is told by the harness, not by the program.
        self.machine.process_ended(self)


def contains(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error is of this kind, or a group with one in it."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(kind) is not None
    return isinstance(error, kind)
