"""A generator checked at every step, so that a mistake in it is told as such and not as a strange history."""

from __future__ import annotations

import msgspec

from harness.generator.context import Context
from harness.generator.source import Source, lift
from harness.generator.todo import PENDING, Asked, Generator, ImpossibleGenerator, Todo
from harness.history import NEMESIS, Op


class MalformedOp(ImpossibleGenerator):
    """A generator asked for something that cannot be done; `problems` lists all that is wrong with it."""

    def __init__(self, asked: object, problems: list[str]) -> None:
        super().__init__(f"the generator asked for {asked!r}: {'; '.join(problems)}")
        self.problems = problems


def validate(source: Source) -> Generator:
    """`source`, checked whenever it is asked.

    Raises: MalformedOp, when asked; errors of the source itself carry a note of what it was doing.
    """
    return Validate(lift(source))


class Validate(msgspec.Struct, frozen=True):
    """`source`, checked."""

    source: Generator

    def ask(self, ctx: Context) -> Asked:
        """The source's next, if nothing is wrong with it."""
        try:
            asked = self.source.ask(ctx)
        except Exception as error:
            error.add_note(f"while the generator was asked at {ctx}")
            raise
        if asked is None:
            return None
        if problems := _problems(asked, ctx):
            raise MalformedOp(asked[0] if isinstance(asked, tuple) and asked else asked, problems)
        return asked[0], Validate(asked[1])

    def tell(self, event: Op) -> Generator:
        """The source hears of it."""
        try:
            source = self.source.tell(event)
        except Exception as error:
            error.add_note(f"while the generator was told of {event}")
            raise
        return self if source is self.source else Validate(source)


def _problems(asked: object, ctx: Context) -> list[str]:
    match asked:
        case (todo, source) if hasattr(source, "ask") and hasattr(source, "tell"):
            pass
        case _:
            return ["expected something to do and a generator, or None"]
    if todo is PENDING:
        return []
    if not isinstance(todo, Todo):
        return ["expected a Todo or PENDING"]
    return [text for wrong, text in _checks(todo, ctx) if wrong]


def _checks(todo: Todo, ctx: Context) -> list[tuple[bool, str]]:
    return [
        (not isinstance(todo.f, str) or not todo.f, "f is to be a name"),
        (not isinstance(todo.time_ns, int), "time_ns is to be a whole number of nanoseconds"),
        (isinstance(todo.time_ns, int) and todo.time_ns < ctx.time_ns, "time_ns lies in the past"),
        (todo.action not in ("op", "sleep", "log"), "action is to be op, sleep or log"),
        (
            todo.action == "sleep" and not _is_length(todo.value),
            "a sleep's value is to be seconds, 0 or more",
        ),
        *_process_checks(todo.process, ctx),
    ]


def _process_checks(process: object, ctx: Context) -> list[tuple[bool, str]]:
    if process != NEMESIS and not isinstance(process, int):
        return [(True, f"process {process!r} is neither a number nor {NEMESIS!r}")]
    thread = NEMESIS if process == NEMESIS else ctx.thread_of(process)
    if thread not in ctx.threads:
        return [(True, f"there is no process {process!r} here")]
    return [
        (ctx.process_of(thread) != process, f"process {process!r} has met silence and never acts again"),
        (thread not in ctx.free, f"process {process!r} is busy"),
    ]


def _is_length(value: object) -> bool:
    return isinstance(value, int | float) and value >= 0
