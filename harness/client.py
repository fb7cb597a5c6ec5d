"""The client thread: it opens clients, passes ops to them, and decides how each op ended.

Only this module decides the type of a completed op. `ok` and `fail` are certain; an op that may have taken
effect, or may still take effect, is `info`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isawaitable, iscoroutine
from math import inf
from typing import Protocol

import trio
from msgspec.structs import replace

from ostrakon.harness.history import NEMESIS, Op
from ostrakon.harness.requirements import misfit
from ostrakon.harness.workload import Client, Refused, Unavailable

CLOSING_S = 1.0
"""Seconds that a client may take to close before it is cancelled."""
LOST = (
    OSError,
    EOFError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.EndOfChannel,
    trio.TooSlowError,
)
"""The exceptions of a client that mean a lost connection or a time-out."""

NO_CONNECTION, NOT_AVAILABLE = "no connection", "not available"
"""The first words of the error of an op that failed because no node was available."""
OVER = "the trial was over"
"""The first words of the error of an op that was still in flight when the trial ended."""

OpenClient = Callable[[int], AbstractAsyncContextManager[Client]]
"""Opens a client for the process with this number. Opening must not change the state of the system."""


class Outcomes(Protocol):
    """Receives the outcomes of ops."""

    def end(self, ended: Op) -> None:
        """An op has ended."""

    def crashed(self, op: Op, error: BaseException) -> None:
        """The client's code raised an error, during this op or after it."""


class ClientThread:
    """Passes ops to a client, and opens a new client after each `info`."""

    def __init__(
        self,
        ops: trio.MemoryReceiveChannel[Op],
        outcomes: Outcomes,
        connect: OpenClient,
        timeout_s: float,
    ) -> None:
        self._ops, self._outcomes = ops, outcomes
        self._connect, self._timeout_s = connect, timeout_s
        self._op: Op
        """The op in flight, or else the last op."""
        self._is_doing = self._is_connected = False

    async def run(self) -> None:
        """Run until no more ops come."""
        while await self._next_op():
            try:
                await self._serve()
            except* Exception as errors:  # What remains of the group is cancellation, which must propagate.
                self._explain(_unwrapped(errors))
            assert not self._is_doing, f"nobody said how {self._op} ended"

    async def _serve(self) -> None:
        """Open a client and use it until an op leaves it unusable."""
        self._is_connected = False
        with trio.move_on_after(self._timeout_s) as patience:
            async with checked(self._connect(_number(self._op))) as client:
                self._is_connected, patience.deadline = True, inf
                silent = False
                while not silent and (self._is_doing or await self._next_op()):
                    ended = await complete(client, self._op, timeout_s=self._timeout_s)
                    silent = ended.type == "info"
                    self._end(ended)
                patience.deadline = trio.current_time() + CLOSING_S
        if self._is_doing and not self._is_connected:
            self._fail_unconnected(f"no answer within {self._timeout_s:g} s")
        elif self._is_doing:
            self._end(replace(self._op, type="info", error="connection lost: the client gave up"))

    async def _next_op(self) -> bool:
        try:
            self._op = await self._ops.receive()
        except trio.EndOfChannel:
            return False
        self._is_doing = True
        return True

    def _explain(self, error: BaseException) -> None:
        """Decide how the op ended after opening, closing, an op or a background task raised."""
        lost = _is_made_of(error, (Refused, *LOST))
        if not lost:
            self._outcomes.crashed(self._op, error)
        if not self._is_doing:
            return
        if not lost:
            self._end(replace(self._op, type="info", error=f"client crashed: {_text(error)}"))
        elif self._is_connected:
            self._end(replace(self._op, type="info", error=f"connection lost: {_text(error)}"))
        else:
            self._fail_unconnected(_text(error))

    def _fail_unconnected(self, why: str) -> None:
        self._end(replace(self._op, type="fail", error=f"{NO_CONNECTION}: {why}"))

    def _end(self, ended: Op) -> None:
        self._is_doing = False
        self._outcomes.end(ended)


async def complete(client: Client, op: Op, *, timeout_s: float) -> Op:
    """Give a client an invoked op and return the op completed. Silence is `info`, never `fail`.

    The op is `fail` if the client refuses; it is `info` if the connection is lost or no answer comes in time.

    Raises: Misbehaved; any other exception of the client, because it is a mistake in the client's code.
    """
    with trio.move_on_after(timeout_s):
        try:
            return await client.apply(op)
        except Exception as error:
            if not _is_made_of(error, (Refused, *LOST)):
                raise
            if _is_made_of(error, (Unavailable,)):
                return replace(op, type="fail", error=f"{NOT_AVAILABLE}: {_text(error)}")
            if _is_made_of(error, (Refused,)):
                return replace(op, type="fail", error=_text(error))
            return replace(op, type="info", error=f"connection lost: {_text(error)}")
    return replace(op, type="info", error=f"no answer within {timeout_s:g} s")


def is_answered(op: Op) -> bool:
    """Whether a node performed or refused a completed op.

    An op also fails if it could not be sent or if no node was available. These do not count as answers.
    """
    in_vain = (op.error or "").startswith((NO_CONNECTION, NOT_AVAILABLE))
    return op.type == "ok" or (op.type == "fail" and not in_vain)


class Misbehaved(Exception):
    """A mistake in the code of a client; `culprit` is the function or class, if known."""

    def __init__(self, problem: str, culprit: object = None) -> None:
        super().__init__(problem)
        self.culprit = culprit


@asynccontextmanager
async def checked(opened: AbstractAsyncContextManager[Client]) -> AsyncIterator[Client]:
    """The client that is opened, held to what a client must be.

    Raises: Misbehaved; whatever the client raises.
    """
    if not hasattr(opened, "__aenter__"):
        if iscoroutine(opened):
            opened.close()
        raise Misbehaved(
            "connect(site, process) must return an async context manager, as a function with "
            f"@asynccontextmanager that yields a client does; it returned {opened!r}"
        )
    async with opened as client:
        if not callable(apply := getattr(client, "apply", None)):
            raise Misbehaved(
                "connect(site, process) must yield a client with `async def apply(self, op)`, and yielded "
                f"{client!r}",
                type(client),
            )
        if problem := misfit(apply, "apply", ("op",)):
            raise Misbehaved(problem, apply)
        yield _CheckedClient(client)


class _CheckedClient:
    """Returns what a client returns, if that is the op completed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def apply(self, op: Op) -> Op:
        """Raises: Misbehaved; whatever the client raises."""
        if not isawaitable(pending := self._client.apply(op)):
            raise self._misbehaved(f"apply must be `async def`, and returned {pending!r}")
        ended: object = await pending
        if not isinstance(ended, Op) or ended.type not in ("ok", "fail", "info"):
            raise self._misbehaved(
                f"apply({op.f} {op.value!r}) must return the op with type ok, fail or info; {_told(ended)}"
            )
        if (ended.process, ended.f) != (op.process, op.f):
            raise self._misbehaved(
                f"apply({op.f} {op.value!r}) of process {op.process} must complete that op, and completed "
                f"{ended.f} {ended.value!r} of process {ended.process}"
            )
        return ended

    def _misbehaved(self, problem: str) -> Misbehaved:
        return Misbehaved(problem, self._client.apply)


def _told(ended: object) -> str:
    if isinstance(ended, Op):
        was = " as it was" if ended.type == "invoke" else ""
        return f"it returned the op{was}, with type {ended.type!r}"
    return f"it returned {ended!r}"


def _is_made_of(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether an error is one of these types, or a group that contains only such errors."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_made_of(part, kinds) for part in error.exceptions)
    return isinstance(error, kinds)


def _unwrapped(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _text(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Refused):
        return str(error) or "refused"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _number(op: Op) -> int:
    assert op.process != NEMESIS, "the nemesis needs no client"
    return op.process
