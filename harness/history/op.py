"""The entries of a history: an operation is invoked, and later it is ok, fails, or its outcome is unknown."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec.structs import replace

OpType = Literal["invoke", "ok", "fail", "info"]
Process = int | Literal["nemesis"]
NEMESIS: Literal["nemesis"] = "nemesis"


def _absent() -> None:
    # A factory, so that msgspec writes `"value":null` although other absent fields are left out.
    return None


class Op(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An entry of a history, with the fields and the meaning that Jepsen gives them.

    `ok`: the operation took effect. `fail`: it did not. `info`: the outcome is unknown; the operation may
    take effect at any time after its invocation. A process with an op that ended as `info` never acts again.

        Op(index=0, time=1_000, type="invoke", process=0, f="write", value=3)
    """

    index: int
    """The position in the history, from 0. In a part of a history, the position in the whole history."""
    time: int
    """Nanoseconds since the trial began."""
    type: OpType
    """"invoke", "ok", "fail" or "info"."""
    process: Process
    """The number of the client process, or "nemesis"."""
    f: str
    """The kind of operation: "read", "propose", "partition", ..."""
    value: Any = msgspec.field(default_factory=_absent)
    """The argument of an invocation, or the result of a completion; its form depends on the workload."""
    error: Any = None
    """Why the op is `fail` or `info`, as text for people."""
    slot: int | None = None
    """The log position of the decision, if the system reports it."""
    ballot: tuple[int, int] | None = None
    """The ballot of the decision, round and node, if the system reports it."""
    node: str | None = None
    """The node that the client sent the operation to."""

    @property
    def is_client(self) -> bool:
        """Whether a client performed the op, and not the nemesis."""
        return self.process != NEMESIS

    def ok(
        self,
        value: Any = msgspec.UNSET,
        *,
        slot: int | None = None,
        ballot: tuple[int, int] | None = None,
        node: str | None = None,
    ) -> Op:
        """The completion of this invocation: it took effect, with this result.

        Without a value, the completion repeats the argument of the invocation, as for a write.

        >>> read = Op(index=0, time=0, type="invoke", process=0, f="read")
        >>> completed = read.ok(3)
        >>> completed.type, completed.f, completed.value
        ('ok', 'read', 3)
        """
        result = self.value if value is msgspec.UNSET else value
        return replace(
            self,
            type="ok",
            value=result,
            slot=self.slot if slot is None else slot,
            ballot=self.ballot if ballot is None else ballot,
            node=self.node if node is None else node,
        )


class UnsuitableHistory(ValueError):
    """A checker cannot interpret an op of a history, perhaps because the history is of another kind of
    system.

    The message names the op and says what the checker accepts.
    """
