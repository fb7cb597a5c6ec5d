"""Sources of ops: single ops, lists of sources, and functions that make sources."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp, OpRequest, addressed
from ostrakon.harness.history import Op

if TYPE_CHECKING:
    Source: TypeAlias = (
        "Generator | OpRequest | Callable[[], Source] | list[Source] | tuple[Source, ...] | None"
    )
else:
    Source = Any
"""The argument type of combinators: a generator, or a value that `lift` converts to one."""


def lift(source: Source) -> Generator:
    """Convert a source to a generator.

    An `OpRequest` is one op. A list or tuple runs its elements in sequence. A function without arguments is
    called for a source, that source runs to its end, and then the function is called again, until it returns
    None. The function should be pure; use `numbered` and `drawn` for sources that count or draw. None is a
    source without ops.

    Raises: TypeError, for any other value.
    """
    if _is_generator(source):
        return source
    match source:
        case None:
            return NOTHING
        case OpRequest():
            return One(source)
        case list() | tuple():
            return Sequence(tuple(lift(element) for element in source))
        case _ if callable(source) and not isinstance(source, type):
            return Numbered(lambda _: source())
    raise TypeError(
        f"{source!r} is not a source of ops: expected a generator, an OpRequest, a function of no arguments, "
        "a list of these, or None. An iterator is not a source, because it cannot give an op "
        "twice: make it a list, or use numbered(...)."
    )


def numbered(make: Callable[[int], Source]) -> Generator:
    """The source `make(0)`, then `make(1)`, ..., until `make` returns None.

    Raises: TypeError, if `make` is no function.
    """
    if not callable(make):
        raise TypeError(f"numbered({make!r}): expected a function of a number")
    return Numbered(make)


def count_of(name: str, count: int) -> int:
    """The count that the combinator `name` was given. Raises: TypeError, unless it is a number from 0 on."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise TypeError(f"{name}({count!r}, ...): expected a whole number, 0 or more")
    return count


def duration(name: str, seconds: float) -> float:
    """The time that the combinator `name` was given. Raises: TypeError, unless it is seconds from 0 on."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < inf:
        raise TypeError(f"{name}({seconds!r}, ...): expected seconds, 0 or more")
    return seconds


def drawn(make: Callable[[random.Random], Source], *, rng: random.Random) -> Generator:
    """The sources that `make` returns, each time with a new random generator, until it returns None.

    The function draws one number from `rng` when it is called.
    """
    seed = rng.getrandbits(64)

    # A generator is often asked for the same op again while its time has not come, and seeding is expensive.
    @lru_cache(maxsize=2)
    def make_number(number: int) -> Source:
        return make(random.Random(seed + number))

    return Numbered(make_number)


class Nothing(msgspec.Struct, frozen=True):
    """A generator without ops."""

    def next_op(self, ctx: Context) -> NextOp:
        """Nothing."""
        return None

    def update(self, event: Op) -> Generator:
        """Nothing changes."""
        return self


NOTHING = Nothing()


class One(msgspec.Struct, frozen=True):
    """A single op."""

    request: OpRequest

    def next_op(self, ctx: Context) -> NextOp:
        """The op, by a free process."""
        request = addressed(self.request, ctx)
        return (request, self) if request is PENDING else (request, NOTHING)

    def update(self, event: Op) -> Generator:
        """Nothing changes."""
        return self


class Sequence(msgspec.Struct, frozen=True):
    """Generators in sequence; an event changes only the current one."""

    sources: tuple[Generator, ...]
    at: int = 0
    head: Generator | None = None
    """The current state of the source at `at`; None if it has not begun."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the head, or the first op of the sources after it."""
        at, head = self.at, self.head
        while at < len(self.sources):
            if (asked := (self.sources[at] if head is None else head).next_op(ctx)) is not None:
                return asked[0], Sequence(self.sources, at, asked[1])
            at, head = at + 1, None
        return None

    def update(self, event: Op) -> Generator:
        """The event changes the head."""
        if self.at == len(self.sources):
            return self
        head = self.sources[self.at] if self.head is None else self.head
        return Sequence(self.sources, self.at, head.update(event))


class Numbered(msgspec.Struct, frozen=True):
    """The sources that a function returns for 0, 1, 2, ..."""

    make: Callable[[int], Source]
    number: int = 0
    current: Generator | None = None

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the current source, or the first op of the source for the next number."""
        if self.current is not None and (asked := self.current.next_op(ctx)) is not None:
            return asked[0], Numbered(self.make, self.number, asked[1])
        if (source := self.make(self.number)) is None or (asked := lift(source).next_op(ctx)) is None:
            return None
        return asked[0], Numbered(self.make, self.number + 1, asked[1])

    def update(self, event: Op) -> Generator:
        """The event changes the current source."""
        return self if self.current is None else Numbered(self.make, self.number, self.current.update(event))


def _is_generator(source: object) -> TypeGuard[Generator]:
    return hasattr(source, "next_op") and hasattr(source, "update")
