"""One operation, or one moment of it: it is invoked, and later it is ok, has failed, or nobody knows."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

OpType = Literal["invoke", "ok", "fail", "info"]
Process = int | Literal["nemesis"]
NEMESIS: Literal["nemesis"] = "nemesis"


def _absent() -> None:
    # A factory, so that msgspec writes `"value":null` although other absent fields are left out.
    return None


class Op(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An entry of a history, with Jepsen's fields and meaning.

    `ok` did happen, `fail` did not, and `info` is silence: the operation may take effect at any time
    from its invocation on, for ever. A process that met silence never acts again.
    """

    index: int
    """Its number: the position in the history from 0, or, of a part of a history, that in the whole."""
    time: int
    """Nanoseconds since the trial began."""
    type: OpType
    process: Process
    f: str
    """What was done: "read", "propose", "partition", ..."""
    value: Any = msgspec.field(default_factory=_absent)
    error: Any = None
    """Why it is `fail` or `info`, for people."""
    slot: int | None = None
    """The position of the decision that answered, where the system tells."""
    ballot: tuple[int, int] | None = None
    """The ballot at which it was decided: round and node."""
    node: str | None = None
    """The node that was asked."""

    @property
    def is_client(self) -> bool:
        """Whether a client did it, rather than the nemesis."""
        return self.process != NEMESIS


class UnsuitableHistory(ValueError):
    """A checker was given a history that it has no meaning for, of another kind of system perhaps.

    The message says which op, and what would be understood.
    """
