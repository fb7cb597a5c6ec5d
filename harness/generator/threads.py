"""Generators that choose the threads for their ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.choice import any_of
from ostrakon.harness.generator.context import Context, Thread, thread_of
from ostrakon.harness.generator.op_request import PENDING, Generator, ImpossibleGenerator, NextOp, OpRequest
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import NEMESIS, Op, Process


def on(belongs: Callable[[Thread], bool], source: Source) -> Generator:
    """`source`, on the threads for which `belongs` is true; only their events change it.

    `next_op` raises ImpossibleGenerator if there is no such thread.
    """
    return On(belongs, lift(source))


def clients(source: Source) -> Generator:
    """`source`, on client threads."""
    return on(_is_client, source)


def nemesis(source: Source) -> Generator:
    """`source`, on the thread of the nemesis."""
    return on(_is_nemesis, source)


def each_thread(source: Source) -> Generator:
    """All ops of `source` on each thread, independently of the other threads."""
    return Each(lift(source), by_process=False)


def each_process(source: Source) -> Generator:
    """All ops of `source` by each process: a thread that continues as a new process starts `source` again."""
    return Each(lift(source), by_process=True)


def reserve(*shares: tuple[int, Source], rest: Source = None) -> Generator:
    """The first threads run the source of the first share, the next ones that of the second, the others
    `rest`.

    A share is a number of threads and their source. Slow ops of one share do not delay the others. If `rest`
    is None, the other threads stay idle.
    """
    parts, begin = [], 0
    for count, source in shares:
        parts.append(on(_is_among(range(begin, begin + count)), source))
        begin += count
    if rest is not None:
        parts.append(on(lambda thread: thread != NEMESIS and thread >= begin, rest))
    return any_of(*parts)


class On(msgspec.Struct, frozen=True):
    """`source`, on some threads only."""

    belongs: Callable[[Thread], bool]
    source: Generator
    chosen: frozenset[Thread] | None = None
    """The threads of the source; known from the first op on."""
    concurrency: int = 0

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, in a context that has only these threads."""
        chosen = self._choose(ctx) if self.chosen is None else self.chosen
        if (asked := self.source.next_op(ctx.only(chosen))) is None:
            return None
        return asked[0], On(self.belongs, asked[1], chosen, ctx.concurrency)

    def update(self, event: Op) -> Generator:
        """The event changes the source if one of these threads caused it."""
        if self.chosen is None or thread_of(event.process, self.concurrency) not in self.chosen:
            return self
        return replace(self, source=self.source.update(event))

    def _choose(self, ctx: Context) -> frozenset[Thread]:
        if chosen := frozenset(thread for thread in ctx.threads if self.belongs(thread)):
            return chosen
        raise ImpossibleGenerator(
            f"part of the generator is for threads that do not exist: there are only {list(ctx.threads)}; "
            "raise the concurrency, give the trial a nemesis, or choose other threads"
        )


class Each(msgspec.Struct, frozen=True):
    """All ops of `fresh`, on each thread or by each process."""

    fresh: Generator
    by_process: bool
    """Whether a thread that continues as a new process starts `fresh` again."""
    begun: Mapping[Process, Generator] = {}
    """The current generators of those that have begun, by thread or by process."""
    concurrency: int = 0

    def next_op(self, ctx: Context) -> NextOp:
        """The earliest op of any free thread."""
        best: tuple[OpRequest, Generator, Process] | None = None
        for thread in ctx.free:
            owner = self._owner(thread, ctx)
            asked = self._copy_of(owner).next_op(ctx.only((thread,)))
            if asked is None or asked[0] is PENDING:
                continue
            if best is None or asked[0].time_ns < best[0].time_ns:
                best = asked[0], asked[1], owner
                if best[0].time_ns <= ctx.time_ns:
                    break
        if best is None:
            return None if self._is_done(ctx) else (PENDING, self)
        request, source, owner = best
        owners = [self._owner(thread, ctx) for thread in ctx.threads]
        begun = {name: self.begun[name] for name in owners if name in self.begun} | {owner: source}
        return request, Each(self.fresh, self.by_process, begun, ctx.concurrency)

    def update(self, event: Op) -> Generator:
        """The event changes the generator of its thread or process."""
        if not self.begun:
            return self
        owner = event.process if self.by_process else thread_of(event.process, self.concurrency)
        if owner not in self.begun:
            return self
        return replace(self, begun={**self.begun, owner: self.begun[owner].update(event)})

    def _owner(self, thread: Thread, ctx: Context) -> Process:
        return ctx.process_of(thread) if self.by_process else thread

    def _copy_of(self, owner: Process) -> Generator:
        return self.begun.get(owner, self.fresh)

    def _is_done(self, ctx: Context) -> bool:
        if self.by_process and not ctx.all_free:
            return False  # An op in flight may end as info; then a new process begins.
        return all(
            self._copy_of(self._owner(thread, ctx)).next_op(ctx.only((thread,))) is None
            for thread in ctx.threads
        )


def _is_client(thread: Thread) -> bool:
    return thread != NEMESIS


def _is_nemesis(thread: Thread) -> bool:
    return thread == NEMESIS


def _is_among(threads: range) -> Callable[[Thread], bool]:
    return lambda thread: thread in threads
