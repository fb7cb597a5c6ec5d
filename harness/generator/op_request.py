"""What a generator is: a value that says what to do next, and becomes another value."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.history import Op, Process


class OpRequest(msgspec.Struct, frozen=True, gc=False):
    """Something to be done, by whom and when.

    What is left open is filled in when it is asked for: any free process, and as soon as may be. A time
    that lies ahead means "not before"; whoever asked comes back then and asks again.
    """

    f: str
    value: Any = None
    process: Process | None = None
    time_ns: int = 0
    """Not before this, in nanoseconds since the generator was begun."""
    node: str | None = None
    """The node to ask, for clients that can choose."""
    action: Literal["op", "sleep", "log"] = "op"
    """`sleep` keeps a process busy for `value` seconds; `log` writes `value`. Neither enters the history."""


class Pending(Enum):
    """The type of `PENDING`."""

    PENDING = "pending"


PENDING: Final = Pending.PENDING
"""Nothing to do for now; ask again when something has been invoked or completed."""


class Generator(Protocol):
    """What clients or the nemesis do: immutable, without clock, randomness or waiting.

    Whoever runs it asks, does what it is answered, tells what came of it, and goes on with the generator
    that each call returns. An answer that is not taken up is as if it had never been asked for.
    """

    def next_op(self, ctx: Context) -> NextOp:
        """What to do next and the generator to go on with; None, now and for ever, when it is done."""

    def update(self, event: Op) -> Generator:
        """Something was invoked or has completed, by this generator's asking or another's."""


NextOp: TypeAlias = "tuple[OpRequest | Pending, Generator] | None"


class ImpossibleGenerator(Exception):
    """A generator asks for what cannot be; the message says what and what would do."""


def addressed(request: OpRequest, ctx: Context) -> OpRequest | Pending:
    """The same thing to do, given a process and a time; pending while the process is busy."""
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
