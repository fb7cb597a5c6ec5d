"""The protocol of state machines that a log can replicate."""

from __future__ import annotations

from typing import Any, Protocol


class BadOperation(ValueError):
    """Not an operation of this machine; the message says why."""


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
