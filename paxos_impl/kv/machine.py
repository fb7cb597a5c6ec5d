"""The protocol of state machines that a log can replicate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

ANSWER_BYTES_MAX = 4 << 20
"""Maximum length of an answer in bytes; a client's connection carries no longer one."""


class BadOperation(ValueError):
    """Not an operation of this machine; the message says why."""


class NotExecuted(ValueError):
    """The operation was refused when its turn came, and changed nothing; the message says why.

    A machine may raise it from `execute` and `carry_out`, and must raise it at all replicas or at none.
    """


class BadState(ValueError):
    """Not a state of this machine; the message says why."""


class StateMachine(Protocol):
    """A deterministic machine: its state and its answers depend only on the operations executed so far.

    It must not use the time, random numbers, or the order of a set. An operation that needs the time gets it
    from the leader before it enters the log: see `stamped`.
    """

    def parse(self, op: Any) -> Any:
        """The parsed operation, for `is_query` and `carry_out`.

        Raises: BadOperation.
        """

    def is_query(self, operation: Any) -> bool:
        """Whether this operation only reads."""

    def stamped(self, op: Any, at_ms: int) -> Any:
        """The operation with the time of the log, if the operation depends on time.

        Only the leader calls it; the state does not change.
        """

    @property
    def reached_ms(self) -> int:
        """The latest stamp of the executed operations, in milliseconds; 0 if there was none."""

    def execute(self, op: Any) -> Any:
        """Execute an operation that `parse` accepts; operation and answer are plain data."""

    def carry_out(self, operation: Any) -> Any:
        """Execute a parsed operation; the answer is plain data."""

    def state(self) -> Any:
        """The whole state, as plain data."""

    def restore(self, state: Any) -> None:
        """Replace the state by one that `state` returned, here or at another replica.

        Raises: BadState.
        """


@runtime_checkable
class TimedMachine(Protocol):
    """A machine whose state changes when time passes, even if no client asks for anything.

    While time is due, the leader puts ticks into the log. A tick is no command of a session, and is executed
    whenever it is in the log: it must do no harm if it comes twice, or if a client sends it.
    """

    @property
    def due_ms(self) -> int | None:
        """After this time of the log the state changes; None for never."""

    def tick(self) -> Any:
        """The operation that only lets time pass; `stamped` gives it the time."""

    def is_tick(self, operation: Any) -> bool:
        """Whether a parsed operation is a tick."""


@runtime_checkable
class ObservableMachine(Protocol):
    """A machine that tells which keys it changes, so that clients can watch them."""

    def take_changes(self) -> list[tuple[str, Any]]:
        """The changes since the last call, in order: keys with their new values; None stands for no value.

        Nothing is noted before the first call.
        """


@runtime_checkable
class ReplayedMachine(Protocol):
    """A machine that is told when a long log is executed again after a restart, and may prepare for it."""

    def begin_replay(self) -> None:
        """Called before the log is executed. The next call of `state` or `parts` ends it; what is executed
        until then need not be quick to read."""


@runtime_checkable
class PartwiseMachine(Protocol):
    """A machine with a state so large that encoding it at once would stop the replica for too long.

    A `StateMachine` that has these two methods as well is snapshotted in parts, while it goes on executing.
    """

    def parts(self) -> Iterator[Any]:
        """The state as it is now, as plain data in parts, each of which is quick to make.

        The machine executes further operations while the parts are read; they must not change what is read.
        An iterator that was not read to its end is dropped when `parts` is called again.
        """

    def restore_parts(self, parts: Iterable[Any]) -> None:
        """Replace the state by the parts that `parts` returned, here or at another replica.

        Raises: BadState.
        """
