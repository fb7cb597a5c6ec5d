"""A queue as a replicated state machine: the example of docs/guides/state-machine.md.

paxos kv serve --machine ostrakon.paxos_impl.kv.queue:Queue --registry ... --listen ... --data ...
paxos kv do --raw --registry ... '["enqueue", "first"]'
paxos kv do --raw --registry ... '["dequeue"]'
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ostrakon.paxos_impl.kv.machine import BadOperation, BadState


class Queue:
    """First in, first out. Operations: `["enqueue", element]`, `["dequeue"]`, `["length"]`."""

    reached_ms = 0
    """No operation depends on time."""

    def __init__(self) -> None:
        self._elements: deque[Any] = deque()

    def parse(self, op: Any) -> tuple[Any, ...]:
        """The name of an operation and its arguments. Raises: BadOperation."""
        match op:
            case ["enqueue", element]:
                return "enqueue", element
            case ["dequeue" | "length" as name]:
                return (name,)
        raise BadOperation(f"{op!r} is none of enqueue (with an element), dequeue and length")

    def is_query(self, operation: tuple[Any, ...]) -> bool:
        """Whether an operation only reads."""
        return bool(operation[0] == "length")

    def stamped(self, op: Any, at_ms: int) -> Any:
        """The operation as it is: none depends on time."""
        return op

    def execute(self, op: Any) -> Any:
        """Execute an operation. Raises: BadOperation."""
        return self.carry_out(self.parse(op))

    def carry_out(self, operation: tuple[Any, ...]) -> Any:
        """Execute a parsed operation; a `dequeue` answers a list of the element, or an empty one."""
        match operation:
            case ("enqueue", element):
                self._elements.append(element)
                return len(self._elements)
            case ("dequeue",):
                return [self._elements.popleft()] if self._elements else []
        return len(self._elements)

    def state(self) -> list[Any]:
        """The elements, the first one first."""
        return list(self._elements)

    def restore(self, state: Any) -> None:
        """Replace the elements. Raises: BadState."""
        if not isinstance(state, list):
            raise BadState("not the state of a queue: no list")
        self._elements = deque(state)
