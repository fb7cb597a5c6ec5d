"""What a log can replicate: a state machine, given commands one by one in the order of the log."""

from __future__ import annotations

from typing import Any, Protocol


class BadOperation(ValueError):
    """No such operation; the message says what would be one."""


class StateMachine(Protocol):
    """Deterministic: its state and answers depend on the operations so far and on nothing else.

    Neither the time nor chance may play a part in it, nor the order of a set.
    """

    def check(self, op: Any) -> None:
        """Whether this is an operation at all.

        Raises: BadOperation.
        """

    def is_query(self, op: Any) -> bool:
        """Whether this operation only looks."""

    def execute(self, op: Any) -> Any:
        """Carry out an operation that was checked; the answer is plain data."""

    def state(self) -> Any:
        """All of the state, as plain data."""
