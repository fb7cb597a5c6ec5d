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

    def check(self, op: Any) -> None:
        """Whether this is an operation at all.

        Raises: BadOperation.
        """

    def is_query(self, op: Any) -> bool:
        """Whether this operation only looks."""

    def stamped(self, op: Any, at_ms: int) -> Any:
        """An operation that was checked, with the time at which the leader takes it up, if that matters.

        Called by the leader alone; it changes nothing.
        """

    @property
    def reached_ms(self) -> int:
        """The latest time that an operation it has executed was stamped with; 0 if none was."""

    def execute(self, op: Any) -> Any:
        """Carry out an operation that was checked; the answer is plain data."""

    def state(self) -> Any:
        """All of the state, as plain data."""

    def restore(self, state: Any) -> None:
        """Take on what `state` told, at another replica or at another time.

        Raises: BadState.
        """
