"""The interface of generators: a generator is a value that returns the next op and its own successor."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.history import Op, Process


class OpRequest(msgspec.Struct, frozen=True, gc=False):
    """A request for an op: what to do, by which process and when.

    Fields that are left out are filled in by `next_op`: any free process, and the current time. A time in the
    future means "not before"; the caller waits until then and calls `next_op` again.

        OpRequest("write", 3), OpRequest("read", process=0)
    """

    f: str
    value: Any = None
    process: Process | None = None
    time_ns: int = 0
    """The earliest time of the op, in nanoseconds since the generator began."""
    node: str | None = None
    """The node to send the op to, for clients that can choose a node."""
    action: Literal["op", "sleep", "log"] = "op"
    """`op`: an op. `sleep`: keep a process busy for `value` seconds. `log`: write `value` to the log. Sleeps
    and
    logs are not part of the history."""


class Pending(Enum):
    """The type of `PENDING`."""

    PENDING = "pending"


PENDING: Final = Pending.PENDING
"""No op for now; call `next_op` again after the next invocation or completion."""


class Generator(Protocol):
    """The ops of clients or of the nemesis: an immutable value without clock, random state or waiting.

    The caller gets an op from `next_op`, performs it, reports its events to `update`, and continues with the
    generator that each call returned. A result of `next_op` that the caller drops has no effect.
    """

    def next_op(self, ctx: Context) -> NextOp:
        """The next op and the generator to continue with; None, from then on always, when it is done."""

    def update(self, event: Op) -> Generator:
        """The generator after an invocation or a completion, of its own op or of another generator's op."""


NextOp: TypeAlias = "tuple[OpRequest | Pending, Generator] | None"


class ImpossibleGenerator(Exception):
    """A generator requests something impossible; the message says what, and what would be right."""


def addressed(request: OpRequest, ctx: Context) -> OpRequest | Pending:
    """The request with a process and a time filled in; pending while the process is busy."""
    if request.process is None:
        if not ctx.free:
            return PENDING
        process = ctx.process_of(ctx.free[0])
    elif ctx.is_free(request.process):
        process = request.process
    else:
        return PENDING
    return OpRequest(
        request.f, request.value, process, max(request.time_ns, ctx.time_ns), request.node, request.action
    )
