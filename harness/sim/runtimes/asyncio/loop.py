"""The event loop of a simulated process: asyncio's own, on simulated sockets and the machine's clock.

Transports, servers, streams, TLS, tasks and futures are asyncio's. Here is what stands in for the operating
system: the selector, the clock, threads, signals and processes. Nothing here waits: between two passes all
of a loop's state is in its ready queue, its timers and its selector, and `run.py` makes the passes.

Sets of tasks are iterated by the loop's own numbers instead of by address, so that two runs are the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import weakref
from asyncio import events, exceptions, format_helpers, selector_events, sslproto
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, NoReturn

from outcome import Error

from ostrakon.harness.sim.kernel.errors import NotSimulated
from ostrakon.harness.sim.kernel.kernel import NEVER_NS
from ostrakon.harness.sim.kernel.threads import BlocksUntil, SimThread
from ostrakon.harness.sim.runtimes.asyncio.selector import SimulatedSelector

if TYPE_CHECKING:
    from ostrakon.harness.sim.runtimes.asyncio.host import Process

_CANCELLED_TIMERS = 100
"""How many timers may be cancelled before the heap is cleared of them, if they are the greater part."""
_UNCATCHABLE = (signal.SIGKILL, signal.SIGSTOP)
_EVENTS: Any = events
_FORMAT: Any = format_helpers
_SSL: Any = sslproto
_TRANSPORT: Any = vars(selector_events)["_SelectorSocketTransport"]
_LOOP: Any = asyncio.SelectorEventLoop

Timer = tuple[float, int, asyncio.TimerHandle]
"""When it is due, on the machine's monotonic clock; the order of making; what is called."""


class SimulatedTask(asyncio.Task[Any]):
    """A task whose place in sets does not depend on its address."""

    number: int

    def __init__(
        self, coro: Any, *, loop: SimulatedEventLoop, name: str | None = None, **options: Any
    ) -> None:
        loop.tasks_made = self.number = loop.tasks_made + 1
        # asyncio counts the tasks of all loops of the interpreter; a process counts its own.
        super().__init__(coro, loop=loop, name=name or f"Task-{self.number}", **options)

    @property
    def awaited(self) -> asyncio.Future[Any] | None:
        """The future that it waits for."""
        waiter: asyncio.Future[Any] | None = self._fut_waiter  # type: ignore[attr-defined]
        return waiter

    def __hash__(self) -> int:
        return self.number


class SimulatedHandle(asyncio.Handle):
    """A callback to be called soon; made without a look at whether the loop is in debug mode."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: SimulatedEventLoop, context: contextvars.Context | None
    ) -> None:
        # The fields of asyncio's.
        self._context = contextvars.copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled = False
        self._repr = self._source_traceback = None


class SimulatedTransport(_TRANSPORT):  # type: ignore[misc]
    """A connection. Where nothing is in the way, bytes go to and from the simulated socket directly.

    Its place in sets does not depend on its address.
    """

    _sock_fd: int

    def __init__(self, loop: SimulatedEventLoop, sock: Any, *args: Any) -> None:
        self._stream = loop.process.endpoint_of(sock)
        super().__init__(loop, sock, *args)

    def __hash__(self) -> int:
        return self._sock_fd

    def write(self, data: Any) -> None:
        """Send now if all of it can be sent, else as asyncio does. Raises: TypeError, RuntimeError."""
        if (
            self._buffer
            or self._conn_lost
            or self._eof
            or type(data) is not bytes
            or not data
            or self._empty_waiter is not None
            or not self._stream.send_whole(data)
        ):
            super().write(data)

    def set_protocol(self, protocol: Any) -> None:
        """Hand over to another protocol."""
        super().set_protocol(protocol)
        self._takes_bytes = not isinstance(protocol, asyncio.BufferedProtocol)

    def _read_ready(self) -> None:
        data = self._stream.take_whole(self.max_size) if self._takes_bytes and not self._conn_lost else b""
        if not data:
            super()._read_ready()
            return
        try:
            self._protocol.data_received(data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fatal_error(error, "Fatal error: protocol.data_received() call failed.")


# Programs and logs show what these are, and that is what asyncio's own are called.
SimulatedTask.__name__, SimulatedHandle.__name__ = asyncio.Task.__name__, asyncio.Handle.__name__
SimulatedTransport.__name__ = _TRANSPORT.__name__


class SimulatedEventLoop(_LOOP):  # type: ignore[misc]
    """One process's event loop."""

    _ready: Any
    _debug: bool
    _closed: bool
    _stopping: bool
    _thread_id: int | None
    _selector: SimulatedSelector
    _signal_handlers: dict[int, asyncio.Handle]
    _task_factory: Any
    _default_executor: Any
    _transports: Any

    def __init__(self, process: Process) -> None:
        self.process = process
        """The process that it runs in."""
        self._clock = process.clock
        self.tasks_made = 0
        """The number of tasks that were made so far; tasks are numbered from 1."""
        self.timers: list[Timer] = []
        """A heap of the callbacks that are due later."""
        self._timers_made = self._timers_cancelled = 0
        self._attended: dict[SimThread, BlocksUntil] = {}
        """What each thread waited for at the last check."""
        super().__init__(SimulatedSelector(process.socket_at))
        self._asyncgens = _OrderedWeakSet()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.process.name}>"

    def run_forever(self) -> None:
        """Run until it is stopped. Raises: RuntimeError if it runs already, or another one does."""
        self._check_closed()
        self._check_running()
        self.process.wait_stopped()

    # Time and callbacks.

    def time(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return self._clock.current_time()

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Call the callback in the next pass, after all callbacks that were added before it."""
        if self._debug or self._closed:
            handle: asyncio.Handle = super().call_soon(callback, *args, context=context)
            return handle
        handle = SimulatedHandle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def callback_failed(self, handle: Any, error: BaseException) -> None:
        """A callback has raised an exception; `asyncio.Handle._run` says the same."""
        source = _FORMAT._format_callback_source(handle._callback, handle._args)
        told = {"message": f"Exception in callback {source}", "exception": error, "handle": handle}
        if handle._source_traceback:
            told["source_traceback"] = handle._source_traceback
        self.call_exception_handler(told)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call the callback at a time of the machine's monotonic clock."""
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        private: Any = timer
        if private._source_traceback:
            del private._source_traceback[-1]
        private._scheduled = True
        self._timers_made += 1
        due = when if when == when else inf  # "Not a number" comes before and after nothing.
        heappush(self.timers, (due, self._timers_made, timer))
        return timer

    def _timer_handle_cancelled(self, handle: Any) -> None:
        if not handle._scheduled:
            return
        self._timers_cancelled += 1
        if self._timers_cancelled > _CANCELLED_TIMERS and 2 * self._timers_cancelled > len(self.timers):
            self.timers[:] = [timer for timer in self.timers if not timer[2]._cancelled]
            heapify(self.timers)
            self._timers_cancelled = 0

    def drop_timer(self) -> Timer:
        """Remove the timer that is due first."""
        timer = heappop(self.timers)
        handle: Any = timer[2]
        handle._scheduled = False
        self._timers_cancelled -= handle._cancelled
        return timer

    def close(self) -> None:
        """Remove all callbacks. Raises: RuntimeError while the loop runs."""
        super().close()
        self.timers.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell the program, or its log, of an exception that nobody takes; not while it is unwound."""
        if not self.process.is_being_unwound:
            super().call_exception_handler(context)

    # Tasks.

    def create_task(self, coro: Any, *, name: str | None = None, **options: Any) -> Any:
        """A task of this loop."""
        factory = self._task_factory
        if factory is not None and factory is not getattr(asyncio, "eager_task_factory", None):
            return super().create_task(coro, name=name, **options)
        self._check_closed()
        if factory is not None:
            options.setdefault("eager_start", True)
        task: Any = SimulatedTask(coro, loop=self, name=name, **options)
        if task._source_traceback:
            del task._source_traceback[-1]
        return task

    # Threads, which are functions that block on virtual time.

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Call the function in a thread of a pool. Raises: NotSimulated for a pool of processes."""
        if any(kind.__name__ == "ProcessPoolExecutor" for kind in type(executor).__mro__):
            self._refuse("a pool of processes", "use a pool of threads, or None")
        return super().run_in_executor(executor, func, *args)

    def start_thread(self, thread: SimThread) -> None:
        """Let a thread that the program starts run from the next pass on."""
        self.call_soon_threadsafe(self._begin_thread, thread, context=contextvars.Context())

    def _begin_thread(self, thread: SimThread) -> None:
        if not thread.has_begun:
            thread.advance()
        self._attend(thread)

    def _attend(self, thread: SimThread) -> None:
        """Look at what the thread waits for now, and see to it that it goes on."""
        request = thread.request
        if isinstance(request, BlocksUntil):
            goes_on = partial(self._thread_wakes, thread, request)
            thread.ring, self._attended[thread] = goes_on, request
            if request.until_ns < NEVER_NS:
                self.process.kernel.call_at(request.until_ns, goes_on)
            return
        self._attended.pop(thread, None)
        if isinstance(thread.outcome, Error):
            raise thread.outcome.error

    def _thread_wakes(self, thread: SimThread, request: BlocksUntil) -> None:
        if not self._closed:
            self.call_soon_threadsafe(self._go_on_in_thread, thread, request)

    def _go_on_in_thread(self, thread: SimThread, request: BlocksUntil) -> None:
        if self._attended.get(thread) is not request:
            return  # It was woken before its time, too.
        if thread.request is request:  # Else it went on while the event loop waited for a thread.
            thread.advance()
        self._attend(thread)

    # Signals.

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Call the callback in the pass after the signal.

        Raises: RuntimeError, ValueError and TypeError as asyncio's own loop does.
        """
        if asyncio.iscoroutine(callback) or asyncio.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_signal(sig)
        self._check_closed()
        if sig in _UNCATCHABLE:
            raise RuntimeError(f"sig {sig} cannot be caught")
        self._signal_handlers[sig] = asyncio.Handle(callback, args, self, None)
        self.process.signal_handlers[sig] = self._signal_arrives

    def remove_signal_handler(self, sig: int) -> bool:
        """Whether there was one. Raises: ValueError, TypeError."""
        self._check_signal(sig)
        if self._signal_handlers.pop(sig, None) is None:
            return False
        self.process.signal_handlers.pop(sig, None)
        return True

    def _signal_arrives(self, sig: int, frame: object) -> None:
        self._handle_signal(sig)

    # What asyncio asks of the operating system.

    def _make_self_pipe(self) -> None:
        """Do nothing: no other thread wakes the loop."""
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        self.process.wake()

    def _make_socket_transport(
        self, sock: Any, protocol: Any, waiter: Any = None, *, extra: Any = None, server: Any = None
    ) -> SimulatedTransport:
        return SimulatedTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self,
        rawsock: Any,
        protocol: Any,
        sslcontext: Any,
        waiter: Any = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: Any = None,
        server: Any = None,
        **timeouts: Any,
    ) -> Any:
        tls = _SSL.SSLProtocol(self, protocol, sslcontext, waiter, server_side, server_hostname, **timeouts)
        self._make_socket_transport(rawsock, tls, extra=extra, server=server)
        return tls._app_transport

    async def _sock_sendfile_native(self, *_: Any) -> NoReturn:
        raise exceptions.SendfileNotAvailableError("a simulated file has no descriptor for os.sendfile")

    # What is refused.

    def subprocess_exec(self, *_: Any, **__: Any) -> Any:
        """Raises: NotSimulated."""
        self._refuse("starting a process", "start another machine in the world")

    def subprocess_shell(self, *_: Any, **__: Any) -> Any:
        """Raises: NotSimulated."""
        self._refuse("starting a process", "start another machine in the world")

    def connect_read_pipe(self, *_: Any, **__: Any) -> Any:
        """Raises: NotSimulated."""
        self._refuse("reading from a pipe", "use a connection or a queue")

    def connect_write_pipe(self, *_: Any, **__: Any) -> Any:
        """Raises: NotSimulated."""
        self._refuse("writing to a pipe", "use a connection or a queue")

    @property
    def _nest_patched(self) -> bool:
        # What nest_asyncio asks of a loop before it rewrites the class of the loop.
        self._refuse("nest_asyncio, which runs a loop within itself,", "await what it was to run")

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise NotSimulated(f"{what} is not simulated (called by {self.process.name}): {instead}")


class _OrderedWeakSet:
    """The async generators that are being iterated, in the order in which they began."""

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[AsyncGenerator[Any, Any]]] = {}

    def add(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.discard(generator)  # A dead one may have had the same address, and another place in the order.
        self._references[id(generator)] = weakref.ref(generator)

    def discard(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._references.pop(id(generator), None)

    def clear(self) -> None:
        self._references.clear()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[AsyncGenerator[Any, Any]]:
        for reference in list(self._references.values()):
            if (generator := reference()) is not None:
                yield generator


def tasks_of(loop: SimulatedEventLoop) -> list[SimulatedTask]:
    """The tasks that are not done, in order of creation."""
    return sorted(asyncio.all_tasks(loop), key=hash)  # type: ignore[arg-type]


Program = Callable[[], Any]
