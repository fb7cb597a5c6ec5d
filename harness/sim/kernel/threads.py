"""Functions that run as if in a thread of their own, on virtual time.

`trio.to_thread.run_sync` and its like hand a function to a thread so that it may block. Here it runs in a
greenlet: up to where it blocks it runs at once, then its process goes on, and the function goes on when its
time has come. No two functions of a world ever run at the same moment, so every run is the same.
"""

from __future__ import annotations

import contextvars
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from greenlet import GreenletExit, getcurrent, greenlet
from outcome import Outcome, capture


@dataclass(frozen=True, slots=True)
class BlocksUntil:
    """The function blocks up to this true time."""

    until_ns: int


@dataclass(frozen=True, slots=True)
class Call:
    """The function asks the event loop to call something, and waits for its outcome."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    is_async: bool
    """Whether what it returns is to be awaited."""


MAIN_THREAD = 0x7F00_0000_0000
"""What `threading.get_ident` returns in the main thread of every process. Real numbers are addresses, too."""


@dataclass(slots=True)
class Held:
    """A lock of `threading` that is held."""

    owner: SimThread | None
    """The function that acquired it; None for the event loop."""
    count: int = 1
    waiting: deque[Any] = field(default_factory=deque)
    """What waits for it, in order: functions, and the event loop."""


class Waiter(Protocol):
    """One that waits, and may be woken before its time."""

    @property
    def is_due(self) -> bool:
        """Whether it was woken."""


class Host(Protocol):
    """The process that such a function belongs to."""

    thread: SimThread | None
    """The function that runs just now."""

    @property
    def threads(self) -> dict[SimThread, None]:
        """Those that have begun and have not ended."""

    def leave_loop(self) -> Callable[[], None]:
        """Hide the event loop from the code that runs now; call what this returns to show it again."""


class SimThread:
    """One call of a function, advanced by the event loop of its process."""

    def __init__(
        self,
        process: Host,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None = None,
        name: str = "",
        *,
        is_main: bool = False,
    ) -> None:
        self.outcome: Outcome[Any] | None = None
        """How the function ended; None while it has not."""
        self.name = name
        """What `threading.current_thread().name` is in it, unless a `Thread` has started it."""
        self.is_main = is_main
        """Whether it is the program itself, an ordinary function."""
        self.has_begun = False
        self.is_due = False
        """Whether it may go on before its time."""
        self.request: BlocksUntil | Call | None = None
        """What it waits for; None if it has not begun or has ended."""
        self.ring: Callable[[], object] | None = None
        """Lets the event loop look at it before its time; None while it does not wait."""
        self._process = process
        self._greenlet = greenlet(lambda _: capture(function, *args))
        self._greenlet.gr_context = contextvars.copy_context() if context is None else context

    def advance(self, answer: Outcome[Any] | None = None) -> None:
        """Run the function up to where it blocks or ends. `answer` is the outcome of a `Call`."""
        self._switch(self._greenlet.switch, answer)

    def stop(self) -> None:
        """End the function where it blocks, because its process is over; it has nothing to say any more."""
        level = logging.root.manager.disable
        logging.disable()
        try:
            while not self._greenlet.dead:
                self._switch(self._greenlet.throw, GreenletExit)
        finally:
            logging.disable(level)

    def _switch(self, switch: Callable[[Any], Any], value: object) -> None:
        process = self._process
        before = process.thread
        process.threads[self] = None
        self.has_begun, self.is_due = True, False
        self._greenlet.parent = getcurrent()
        return_to_loop = process.leave_loop()
        process.thread = self
        try:
            told = switch(value)
        finally:
            process.thread = before
            return_to_loop()
        if isinstance(told, BlocksUntil | Call):
            self.request = told
        else:
            del process.threads[self]
            self.request, self.outcome = None, told

    def wake(self) -> None:
        """Let the function go on where it blocks, before its time."""
        self.is_due = True
        if (ring := self.ring) is not None:
            self.ring = None
            ring()

    def block(self, until_ns: int) -> None:
        """Wait up to this time. To be called by the function."""
        self._ask(BlocksUntil(until_ns))

    def call(self, function: Callable[..., Any], *args: Any, is_async: bool = False) -> Any:
        """Let the event loop call something; return or raise as that does. To be called by the function."""
        return self._ask(Call(function, args, is_async)).unwrap()

    def _ask(self, request: BlocksUntil | Call) -> Any:
        loop = self._greenlet.parent
        assert loop is not None
        return loop.switch(request)
