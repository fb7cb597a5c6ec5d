"""Where ops come from: single things to do, lists of them, and functions that make them."""

from __future__ import annotations

import random
from collections.abc import Callable
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
"""What combinators take: a generator, or what `lift` makes one of."""


def lift(source: Source) -> Generator:
    """The generator meant by a source.

    An `OpRequest` is done once. A list or tuple runs its elements in order. A function of no arguments is
    called whenever something is asked for, what it returns is run to its end, and then it is called
    again, until it returns None; it should be pure (see `numbered` and `drawn` for ones that count or
    draw). None is nothing to do.

    Raises: TypeError, when it is none of these.
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
        case _ if callable(source):
            return Numbered(lambda _: source())
    raise TypeError(
        f"{source!r} is not a source of ops: expected a generator, an OpRequest, a function of no arguments, "
        "a list of these, or None. An iterator is not one because it cannot be asked the same thing "
        "twice: make it a list, or use numbered(...)."
    )


def numbered(make: Callable[[int], Source]) -> Generator:
    """What `make(0)` says, then what `make(1)` says, ..., until it returns None."""
    return Numbered(make)


def drawn(make: Callable[[random.Random], Source], *, rng: random.Random) -> Generator:
    """What `make` says, given new randomness each time, until it returns None.

    `rng` is drawn from once, now.
    """
    seed = rng.getrandbits(64)
    return Numbered(lambda number: make(random.Random(seed + number)))


class Nothing(msgspec.Struct, frozen=True):
    """A generator that is done."""

    def next_op(self, ctx: Context) -> NextOp:
        """Nothing."""
        return None

    def update(self, event: Op) -> Generator:
        """Nothing changes."""
        return self


NOTHING = Nothing()


class One(msgspec.Struct, frozen=True):
    """A single thing to do, once."""

    request: OpRequest

    def next_op(self, ctx: Context) -> NextOp:
        """It, by a free process."""
        request = addressed(self.request, ctx)
        return (request, self) if request is PENDING else (request, NOTHING)

    def update(self, event: Op) -> Generator:
        """Nothing changes."""
        return self


class Sequence(msgspec.Struct, frozen=True):
    """One generator after another; each hears only what happens in its time."""

    sources: tuple[Generator, ...]
    at: int = 0
    head: Generator | None = None
    """What has become of the source at `at`, if anything has."""

    def next_op(self, ctx: Context) -> NextOp:
        """The head's next, or the first of the ones after it."""
        at, head = self.at, self.head
        while at < len(self.sources):
            if (asked := (self.sources[at] if head is None else head).next_op(ctx)) is not None:
                return asked[0], Sequence(self.sources, at, asked[1])
            at, head = at + 1, None
        return None

    def update(self, event: Op) -> Generator:
        """The head hears of it."""
        if self.at == len(self.sources):
            return self
        head = self.sources[self.at] if self.head is None else self.head
        return Sequence(self.sources, self.at, head.update(event))


class Numbered(msgspec.Struct, frozen=True):
    """What a function says of 0, 1, 2, ..."""

    make: Callable[[int], Source]
    number: int = 0
    current: Generator | None = None

    def next_op(self, ctx: Context) -> NextOp:
        """The next of what it said last, or the first of what it says of the next number."""
        if self.current is not None and (asked := self.current.next_op(ctx)) is not None:
            return asked[0], Numbered(self.make, self.number, asked[1])
        if (source := self.make(self.number)) is None or (asked := lift(source).next_op(ctx)) is None:
            return None
        return asked[0], Numbered(self.make, self.number + 1, asked[1])

    def update(self, event: Op) -> Generator:
        """What it said last hears of it."""
        return self if self.current is None else Numbered(self.make, self.number, self.current.update(event))


def _is_generator(source: object) -> TypeGuard[Generator]:
    return hasattr(source, "next_op") and hasattr(source, "update")
