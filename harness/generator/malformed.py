"""Checks every step of a generator, so that a mistake in it is reported and does not give a strange
history."""

from __future__ import annotations

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, ImpossibleGenerator, NextOp, OpRequest
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import NEMESIS, Op

GENERATOR_NOTES = ("while the generator was asked", "while the generator was told")
"""The first words of the notes on an error that a generator raised."""


class MalformedOp(ImpossibleGenerator):
    """A generator returned an op that cannot be performed; `problems` lists all that is wrong with it."""

    def __init__(self, asked: object, problems: list[str]) -> None:
        request = asked[0] if isinstance(asked, tuple) and asked else asked
        super().__init__(f"the generator asked for {request!r}: {'; '.join(problems)}")
        self.problems = problems


def validate(source: Source) -> Generator:
    """`source`, checked at each call of `next_op`.

    `next_op` raises MalformedOp. An error of the source itself gets a note that says which call raised it.
    """
    return Validate(lift(source))


class Validate(msgspec.Struct, frozen=True):
    """`source`, checked."""

    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if nothing is wrong with it."""
        try:
            asked = self.source.next_op(ctx)
        except Exception as error:
            error.add_note(f"{GENERATOR_NOTES[0]} at {ctx}")
            raise
        if asked is None:
            return None
        if problems := _problems(asked, ctx):
            raise MalformedOp(asked, problems)
        return asked[0], Validate(asked[1])

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        try:
            source = self.source.update(event)
        except Exception as error:
            error.add_note(f"{GENERATOR_NOTES[1]} of {event}")
            raise
        return self if source is self.source else Validate(source)


def _problems(asked: object, ctx: Context) -> list[str]:
    if not isinstance(asked, tuple) or len(asked) != 2 or not hasattr(asked[1], "update"):
        return ["expected something to do and a generator, or None"]
    request = asked[0]
    if request is PENDING:
        return []
    if not isinstance(request, OpRequest):
        return ["expected an OpRequest or PENDING"]
    problems = []
    if not isinstance(request.f, str) or not request.f:
        problems.append(f"f is {request.f!r}, expected a name")
    if not isinstance(request.time_ns, int):
        problems.append("time_ns is to be a whole number of nanoseconds")
    elif request.time_ns < ctx.time_ns:
        problems.append("time_ns lies in the past")
    if request.action not in ("op", "sleep", "log"):
        problems.append("action is to be op, sleep or log")
    if request.action == "sleep" and not (isinstance(request.value, int | float) and request.value >= 0):
        problems.append("a sleep's value is to be seconds, 0 or more")
    if request.process is None or not ctx.is_free(request.process):
        problems.append(_why_not_free(request.process, ctx))
    return problems


def _why_not_free(process: object, ctx: Context) -> str:
    if process != NEMESIS and not isinstance(process, int):
        return f"process {process!r} is neither a number nor {NEMESIS!r}"
    thread = NEMESIS if process == NEMESIS else ctx.thread_of(process)
    if thread not in ctx.threads:
        return f"there is no process {process!r} here"
    if ctx.process_of(thread) != process:
        return f"process {process!r} has met silence and never acts again, or does not act yet"
    return f"process {process!r} is busy"
