"""Generators that say who."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from harness.generator.choice import any_of
from harness.generator.context import Context, Thread, thread_of
from harness.generator.source import Source, lift
from harness.generator.todo import PENDING, Asked, Generator, ImpossibleGenerator, Todo
from harness.history import NEMESIS, Op


def on(belongs: Callable[[Thread], bool], source: Source) -> Generator:
    """`source`, by the threads for which `belongs` is true, and hearing of these alone.

    Raises: ImpossibleGenerator, when asked while there is no such thread.
    """
    return On(belongs, lift(source))


def clients(source: Source) -> Generator:
    """`source`, by clients."""
    return on(_is_client, source)


def nemesis(source: Source) -> Generator:
    """`source`, by the nemesis."""
    return on(_is_nemesis, source)


def each_thread(source: Source) -> Generator:
    """All of `source` by every thread, each at its own pace."""
    return EachThread(lift(source))


def reserve(*shares: tuple[int, Source], rest: Source = None) -> Generator:
    """The first clients do what the first share says, the next ones the second, and all others the `rest`.

    A share is a number of threads and what they do; so slow ops of one kind do not starve the others.
    `rest` None leaves the others idle.
    """
    parts, begin = [], 0
    for count, source in shares:
        parts.append(on(_is_among(range(begin, begin + count)), source))
        begin += count
    if rest is not None:
        parts.append(on(lambda thread: thread != NEMESIS and thread >= begin, rest))
    return any_of(*parts)


class On(msgspec.Struct, frozen=True):
    """`source`, by some threads only."""

    belongs: Callable[[Thread], bool]
    source: Generator
    chosen: frozenset[Thread] | None = None
    """The threads that belong; known from the first op on."""
    concurrency: int = 0

    def ask(self, ctx: Context) -> Asked:
        """The source's next, for which only these threads are there."""
        chosen = self._choose(ctx) if self.chosen is None else self.chosen
        if (asked := self.source.ask(ctx.only(chosen))) is None:
            return None
        return asked[0], On(self.belongs, asked[1], chosen, ctx.concurrency)

    def tell(self, event: Op) -> Generator:
        """The source hears of it if one of these threads did it."""
        if self.chosen is None or thread_of(event.process, self.concurrency) not in self.chosen:
            return self
        return replace(self, source=self.source.tell(event))

    def _choose(self, ctx: Context) -> frozenset[Thread]:
        if chosen := frozenset(thread for thread in ctx.threads if self.belongs(thread)):
            return chosen
        raise ImpossibleGenerator(
            f"part of the generator is for threads that do not exist: there are only {list(ctx.threads)}; "
            "raise the concurrency, give the trial a nemesis, or choose other threads"
        )


class EachThread(msgspec.Struct, frozen=True):
    """All of `fresh` by every thread."""

    fresh: Generator
    begun: Mapping[Thread, Generator] = {}
    """What has become of it on the threads that have begun."""
    concurrency: int = 0

    def ask(self, ctx: Context) -> Asked:
        """The soonest thing to do that any free thread has."""
        best: tuple[Todo, Generator, Thread] | None = None
        for thread in ctx.free:
            asked = self._of(thread).ask(ctx.only((thread,)))
            if asked is None or asked[0] is PENDING:
                continue
            if best is None or asked[0].time_ns < best[0].time_ns:
                best = asked[0], asked[1], thread
                if best[0].time_ns <= ctx.time_ns:
                    break
        if best is not None:
            todo, source, thread = best
            return todo, EachThread(self.fresh, {**self.begun, thread: source}, ctx.concurrency)
        return None if self._all_done(ctx) else (PENDING, self)

    def tell(self, event: Op) -> Generator:
        """The thread's own copy hears of it."""
        thread = thread_of(event.process, self.concurrency) if self.concurrency else event.process
        if thread not in self.begun:
            return self
        return replace(self, begun={**self.begun, thread: self.begun[thread].tell(event)})

    def _of(self, thread: Thread) -> Generator:
        return self.begun.get(thread, self.fresh)

    def _all_done(self, ctx: Context) -> bool:
        return all(self._of(thread).ask(ctx.only((thread,))) is None for thread in ctx.threads)


def _is_client(thread: Thread) -> bool:
    return thread != NEMESIS


def _is_nemesis(thread: Thread) -> bool:
    return thread == NEMESIS


def _is_among(threads: range) -> Callable[[Thread], bool]:
    return lambda thread: thread in threads
