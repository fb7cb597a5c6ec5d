"""Coroutines on the event heap: code that waits, such as a client or a storage, without an event loop.

Such a coroutine may await a `Sleep`, a `Future`, and other coroutines that do the same. It must not wait for
anything else. So code of a system under test that waits only through a small interface, as storage does
through a disk, runs on the model unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")
CallIn = Callable[[int, Callable[[], object]], object]
"""Calls a function after some nanoseconds, unless the machine has ended by then."""


class Sleep:
    """Await it to wait for some nanoseconds."""

    __slots__ = ("ns",)

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def __await__(self) -> Generator[Sleep, None, None]:
        yield self


class Future(Generic[T]):
    """A value that comes later. At most one coroutine may await it."""

    __slots__ = ("_value", "_wake", "is_set")

    def __init__(self) -> None:
        self._value: T
        self._wake: Callable[[], object] | None = None
        self.is_set = False

    def set(self, value: T) -> None:
        """Set the value, unless it is set already."""
        if self.is_set:
            return
        self.is_set, self._value = True, value
        if (wake := self._wake) is not None:
            self._wake = None
            wake()

    def on_set(self, wake: Callable[[], object]) -> None:
        """Call `wake` when the value is set."""
        self._wake = wake

    def __await__(self) -> Generator[Future[T], None, T]:
        if not self.is_set:
            yield self
        return self._value


class Task(Generic[T]):
    """A coroutine that runs on the heap. Its first step runs when the task is made."""

    __slots__ = ("_call_in", "_ended", "_is_stepping", "_work", "is_over")

    def __init__(
        self,
        work: Coroutine[Any, None, T],
        call_in: CallIn,
        ended: Callable[[T | None, Exception | None], object],
    ) -> None:
        """`ended` is called with the result, or with the exception that the coroutine raised."""
        self._work, self._call_in, self._ended = work, call_in, ended
        self.is_over = self._is_stepping = False
        self._step()

    def cancel(self) -> None:
        """End the coroutine where it waits, without a call of `ended`. A task may cancel itself."""
        if not self.is_over:
            self.is_over = True
            if not self._is_stepping:
                self._work.close()

    def _step(self) -> None:
        if self.is_over:
            return
        self._is_stepping = True
        try:
            awaited = self._work.send(None)
        except StopIteration as done:
            self._end(done.value, None)
        except Exception as error:
            self._end(None, error)
        else:
            self._is_stepping = False
            if self.is_over:
                self._work.close()
            elif isinstance(awaited, Sleep):
                self._call_in(awaited.ns, self._step)
            else:
                awaited.on_set(self._step)

    def _end(self, value: T | None, error: Exception | None) -> None:
        was_over, self.is_over, self._is_stepping = self.is_over, True, False
        if not was_over:
            self._ended(value, error)


class HeapEvent:
    """An event that happens once; any number of coroutines may wait for it.

    They continue after `set` has returned, as on an event loop: no other coroutine runs between `set` and the
    next `await`.
    """

    __slots__ = ("_call_in", "_futures", "_is_set")

    def __init__(self, call_in: CallIn) -> None:
        self._call_in, self._is_set = call_in, False
        self._futures: list[Future[None]] = []

    def set(self) -> None:
        """The event happens."""
        self._is_set = True
        futures, self._futures = self._futures, []
        for future in futures:
            self._call_in(0, partial(future.set, None))

    async def wait(self) -> None:
        """Return when the event has happened."""
        if not self._is_set:
            future = Future[None]()
            self._futures.append(future)
            await future
