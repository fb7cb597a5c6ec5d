"""What a log can replicate: a state machine, given commands one by one in the order of the log."""

from __future__ import annotations

from typing import Any, Protocol


class BadOperation(ValueError):
    """No such operation; the message says what would be one."""


class BadState(ValueError):
    """This is no state of such a machine; the message says why."""


class StateMachine(Protocol):
    """Deterministic: its state and answers depend on the operations so far and on nothing else.

    Neither the time nor chance may play a part in it, nor the order of a set. What time it is, an operation
    can be told by the leader, before it becomes part of the log: see `stamped`.
    """

    def parse(self, op: Any) -> Any:
        """An operation as `is_query` and `carry_out` take it.

        Raises: BadOperation, if it is no operation at all.
        """

    def is_query(self, operation: Any) -> bool:
        """Whether this operation only looks."""

    def stamped(self, op: Any, at_ms: int) -> Any:
        """An operation that can be parsed, with the time at which the leader takes it up, if that matters.

        Called by the leader alone; it changes nothing.
        """

    @property
    def reached_ms(self) -> int:
        """The latest time that an operation it has executed was stamped with; 0 if none was."""

    def execute(self, op: Any) -> Any:
        """Carry out an operation that can be parsed, as plain data; the answer is plain data."""

    def carry_out(self, operation: Any) -> Any:
        """Carry out what `parse` gave; the answer is plain data."""

    def state(self) -> Any:
        """All of the state, as plain data."""

    def restore(self, state: Any) -> None:
        """Take on what `state` told, at another replica or at another time.

        Raises: BadState.
        """
