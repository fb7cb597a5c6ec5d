"""The selector of a simulated process: which of its sockets have something for its event loop.

Level-triggered, as `epoll` is for asyncio: a socket that is still readable after its callback has run is
reported again in the next pass of the loop.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from asyncio import Handle

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Pollable(Protocol):
    """A simulated socket, as far as a selector looks at it."""

    @property
    def closed(self) -> bool:
        """Whether it is gone."""

    def is_readable(self) -> bool:
        """Whether reading from it, or accepting, would return at once."""

    def is_writable(self) -> bool:
        """Whether sending would take something at once, or connecting has ended."""

    def tell_reader(self, waiter: Any) -> None:
        """Wake `waiter` the next time that there may be something to read; None for nobody."""

    def tell_writer(self, waiter: Any) -> None:
        """Wake `waiter` the next time that there may be room to write; None for nobody."""


class Interest:
    """The event loop's interest in one side of one socket."""

    __slots__ = ("fileno", "handle", "sock")

    def __init__(self, sock: Pollable, fileno: int, handle: Handle) -> None:
        self.sock, self.fileno = sock, fileno
        self.handle: Handle | None = handle
        """What the event loop calls; None when it has lost interest."""

    def is_ready(self) -> bool:
        """Whether it is to be called now."""
        raise NotImplementedError

    def arm(self) -> None:
        """Have the socket wake the process when this may have become ready."""
        raise NotImplementedError

    def end(self) -> None:
        """The event loop has lost interest."""
        raise NotImplementedError


class Reading(Interest):
    """It wants to read, or to accept."""

    __slots__ = ()

    def is_ready(self) -> bool:
        """Whether there is something to read."""
        return self.sock.is_readable() and not self.sock.closed

    def arm(self) -> None:
        """Wait for something to read."""
        self.sock.tell_reader(self)

    def end(self) -> None:
        """Do not wait any more."""
        self.handle = None
        self.sock.tell_reader(None)


class Writing(Interest):
    """It wants to write, or to hear how connecting has ended."""

    __slots__ = ()

    def is_ready(self) -> bool:
        """Whether there is room."""
        return self.sock.is_writable() and not self.sock.closed

    def arm(self) -> None:
        """Wait for room."""
        self.sock.tell_writer(self)

    def end(self) -> None:
        """Do not wait any more."""
        self.handle = None
        self.sock.tell_writer(None)


class SimulatedSelector(selectors.BaseSelector):
    """Keeps what the event loop has registered, and the list of what is ready.

    `find` gives the socket that has this number. Raises: ValueError if there is none.
    """

    def __init__(self, find: Callable[[int], Pollable]) -> None:
        self.fired: list[Interest] = []
        """What may be ready; whoever takes one out of here calls its handle, arms it or puts it back."""
        self._find = find
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._interests: dict[int, tuple[Interest | None, Interest | None]] = {}

    @property
    def readings(self) -> list[Interest]:
        """Whoever wants to read."""
        return [reading for reading, _ in self._interests.values() if reading is not None]

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Begin to watch. Raises: ValueError, KeyError."""
        fileno = _number(fileobj)
        if not events or events & ~(READ | WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        if fileno in self._keys:
            raise KeyError(f"{fileobj!r} (FD {fileno}) is already registered")
        key = selectors.SelectorKey(fileobj, fileno, events, data)
        self._interests[fileno] = self._changed(fileno, self._find(fileno), (None, None), events, data)
        self._keys[fileno] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch no longer. Raises: KeyError."""
        fileno = _number(fileobj)
        key = self._keys.pop(fileno)
        for interest in self._interests.pop(fileno):
            if interest is not None:
                interest.end()
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch for something else, or on behalf of someone else. Raises: KeyError."""
        fileno = _number(fileobj)
        key = self._keys[fileno] = self._keys[fileno]._replace(events=events, data=data)
        before = self._interests[fileno]
        # Not looked up again: the operating system may have closed it when it killed the process.
        sock = next(interest.sock for interest in before if interest is not None)
        self._interests[fileno] = self._changed(fileno, sock, before, events, data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; never waits."""
        found = []
        for fileno, key in self._keys.items():
            ready = [interest is not None and interest.is_ready() for interest in self._interests[fileno]]
            if events := READ * ready[0] | WRITE * ready[1]:
                found.append((key, events))
        return found

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """What was registered. Raises: KeyError."""
        return self._keys[_number(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """All that is registered, by number."""
        return self._keys

    def close(self) -> None:
        """Forget everything."""
        for fileno in list(self._keys):
            self.unregister(fileno)
        self.fired.clear()

    def _changed(
        self,
        fileno: int,
        sock: Pollable,
        before: tuple[Interest | None, Interest | None],
        events: int,
        data: tuple[Handle | None, Handle | None],
    ) -> tuple[Interest | None, Interest | None]:
        reading = self._side(Reading, before[0], fileno, sock, data[0] if events & READ else None)
        writing = self._side(Writing, before[1], fileno, sock, data[1] if events & WRITE else None)
        return reading, writing

    def _side(
        self,
        kind: type[Interest],
        interest: Interest | None,
        fileno: int,
        sock: Pollable,
        handle: Handle | None,
    ) -> Interest | None:
        if handle is None:
            if interest is not None:
                interest.end()
            return None
        if interest is not None:
            interest.handle = handle
            return interest
        interest = kind(sock, fileno, handle)
        if interest.is_ready():
            self.fired.append(interest)
        else:
            interest.arm()
        return interest


def _number(fileobj: Any) -> int:
    number = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return number
