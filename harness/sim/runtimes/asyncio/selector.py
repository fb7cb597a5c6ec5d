"""The selector of a simulated process: which of its sockets have something for its event loop.

Level-triggered, as `epoll` is for asyncio: a socket that is still readable after its callback has run is
reported again in the next pass of the loop.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from asyncio import Handle

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Pollable(Protocol):
    """A simulated socket, as far as a selector looks at it."""

    def poll_read(self, waiter: Any) -> bool:
        """Whether there may be something to read; if not, wake `waiter` as soon as there may be."""

    def poll_write(self, waiter: Any) -> bool:
        """Whether there may be room to write; if not, wake `waiter` as soon as there may be."""

    def forget(self, waiter: Any) -> None:
        """Do not wake it any more."""


class Interest:
    """The event loop's interest in one side of one socket."""

    __slots__ = ("fileno", "handle", "poll", "sock")

    def __init__(self, sock: Pollable, fileno: int, poll: Callable[[Any], bool], handle: Handle) -> None:
        self.sock, self.fileno = sock, fileno
        self.poll = poll
        """Whether it is ready, given this interest; if not, the socket tells when it may be."""
        self.handle: Handle | None = handle
        """What the event loop calls; None when it has lost interest."""

    def end(self) -> None:
        """The event loop has lost interest."""
        self.handle = None
        self.sock.forget(self)


class SimulatedSelector(selectors.BaseSelector):
    """Keeps what the event loop has registered, and the list of what is ready.

    `find` gives the socket that has this number. Raises: OSError if there is none.
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
        """Begin to watch. Raises: ValueError, KeyError, OSError."""
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
            ready = [interest is not None and interest.poll(interest) for interest in self._interests[fileno]]
            if events := READ * ready[0] | WRITE * ready[1]:
                found.append((key, events))
        return found

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """What was registered. Raises: KeyError."""
        return self._keys[_number(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """All that is registered, by number or by what has a number."""
        return _Registered(self._keys)

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
        handles = data[0] if events & READ else None, data[1] if events & WRITE else None
        polls = sock.poll_read, sock.poll_write
        reading, writing = (
            self._side(interest, fileno, sock, poll, handle)
            for interest, poll, handle in zip(before, polls, handles, strict=True)
        )
        return reading, writing

    def _side(
        self,
        interest: Interest | None,
        fileno: int,
        sock: Pollable,
        poll: Callable[[Any], bool],
        handle: Handle | None,
    ) -> Interest | None:
        if handle is None:
            if interest is not None:
                interest.end()
            return None
        if interest is not None:
            interest.handle = handle
            return interest
        interest = Interest(sock, fileno, poll, handle)
        if poll(interest):
            self.fired.append(interest)
        return interest


class _Registered(Mapping[Any, selectors.SelectorKey]):
    """What is registered."""

    def __init__(self, keys: Mapping[int, selectors.SelectorKey]) -> None:
        self._keys = keys

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[_number(fileobj)]

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _number(fileobj: Any) -> int:
    number = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return number
