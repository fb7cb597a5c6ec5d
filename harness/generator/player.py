"""Plays a generator without cluster or clock, as a discrete-event simulation: for tests of generators."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Literal

from msgspec.structs import replace

from harness.generator.context import Context
from harness.generator.malformed import validate
from harness.generator.source import Source
from harness.generator.todo import PENDING, ImpossibleGenerator, Todo
from harness.history import NEMESIS, Op

Complete = Callable[[Op], Op | None]
"""Says how an invoked op ends, its `time` being when it does; None when nothing is ever heard of it."""

_LATENCY_NS = 10_000_000
_ENDINGS: tuple[Literal["fail", "info", "ok"], ...] = ("fail", "info", "ok")


def quick(op: Op) -> Op:
    """Every op is ok at once."""
    return replace(op, type=_well(op))


def perfect(op: Op) -> Op:
    """Every op is ok after 10 ms."""
    return replace(op, type=_well(op), time=op.time + _LATENCY_NS)


def imperfect(op: Op) -> Op:
    """Ops end as fail, info and ok in turn, after 10 ms; with many clients, as mixed as their order."""
    ending = _ENDINGS[op.index // 2 % 3] if op.is_client else "info"
    return replace(op, type=ending, time=op.time + _LATENCY_NS)


def play(
    source: Source,
    *,
    complete: Complete = perfect,
    concurrency: int = 2,
    nemesis: bool = False,
    ops_max: int = 1_000_000,
) -> list[Op]:
    """The history that a generator makes when ops end as `complete` says.

    Time begins at 0 and is virtual. There is a nemesis thread only if it is asked for.

    Raises: ImpossibleGenerator, when it waits for what cannot come or does not end within `ops_max` ops;
    MalformedOp; whatever the generator raises.
    """
    game = _Game(source, complete, Context.start(concurrency, nemesis=nemesis))
    history: list[Op] = []
    for op in game.run():
        history.append(op)
        if len(history) > ops_max:
            raise ImpossibleGenerator(
                f"the generator did not end within {ops_max} ops; bound it by limit(...) or time_limit(...)"
            )
    return history


class _Game:
    """The state of one play; mutable, as the world is."""

    def __init__(self, source: Source, complete: Complete, ctx: Context) -> None:
        self.generator, self.complete, self.ctx = validate(source), complete, ctx
        self.due: list[tuple[int, int, Op | Todo]] = []
        """What ends, and when: ops and sleeps."""
        self.invoked = self.index = 0

    def run(self) -> Iterator[Op]:
        while True:
            # Completions come first: an op that is over when another begins was not concurrent with it.
            yield from self.end_due(self.ctx.time_ns)
            if (asked := self.generator.ask(self.ctx)) is None:
                break
            todo, generator = asked
            if todo is PENDING:
                self.generator = generator
                self.wait()
            elif todo.time_ns > self.ctx.time_ns:
                self.pass_time(min([todo.time_ns, *(end[0] for end in self.due[:1])]))
            else:
                self.generator = generator
                yield from self.begin(todo)
        while self.due:
            self.pass_time(self.due[0][0])
            yield from self.end_due(self.ctx.time_ns)

    def end_due(self, time_ns: int) -> Iterator[Op]:
        while self.due and self.due[0][0] <= time_ns:
            yield from self.end(heapq.heappop(self.due)[2])

    def begin(self, todo: Todo) -> Iterator[Op]:
        assert todo.process is not None
        match todo.action:
            case "log":
                return
            case "sleep":
                self.ctx = self.ctx.busy(self.ctx.thread_of(todo.process))
                self.ends(self.ctx.time_ns + round(todo.value * 1e9), todo)
                return
        self.ctx = self.ctx.busy(self.ctx.thread_of(todo.process))
        kind: Literal["info", "invoke"] = "info" if todo.process == NEMESIS else "invoke"
        op = self.numbered(
            Op(self.index, self.ctx.time_ns, kind, todo.process, todo.f, todo.value, node=todo.node)
        )
        yield op
        self.generator = self.generator.tell(op)
        if (completion := self.complete(op)) is not None:
            self.ends(completion.time, completion)

    def ends(self, time_ns: int, what: Op | Todo) -> None:
        heapq.heappush(self.due, (time_ns, self.invoked, what))
        self.invoked += 1

    def end(self, what: Op | Todo) -> Iterator[Op]:
        assert what.process is not None
        thread = self.ctx.thread_of(what.process)
        if isinstance(what, Todo):
            self.ctx = self.ctx.idle(thread)
            return
        op = self.numbered(what)
        yield op
        if op.type == "info" and op.is_client:
            self.ctx = self.ctx.succeeded(thread)
        self.ctx = self.ctx.idle(thread)
        self.generator = self.generator.tell(op)

    def numbered(self, op: Op) -> Op:
        op = replace(op, index=self.index)
        self.index += 1
        return op

    def pass_time(self, time_ns: int) -> None:
        self.ctx = self.ctx.at(max(time_ns, self.ctx.time_ns))

    def wait(self) -> None:
        if not self.due:
            raise ImpossibleGenerator(
                f"the generator waits although nothing is under way that could end its wait, at {self.ctx}"
            )
        self.pass_time(self.due[0][0])


def _well(op: Op) -> Literal["ok", "info"]:
    return "ok" if op.is_client else "info"
