"""A history: the ops of one trial in the order in which they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from ostrakon.harness.history.op import NEMESIS, Op, OpType, Process

if TYPE_CHECKING:
    from ostrakon.harness.history.columns import Columns


class History(Sequence[Op]):
    """An immutable sequence of ops.

    An op is looked up by its position, or with `op` by its index; `invocation` and `completion` find its
    other half. An op that never completed has no completion: it stays concurrent with everything after it.
    """

    def __init__(self, ops: Iterable[Op] = (), *, columns: Callable[[], Columns] | None = None) -> None:
        """`columns` makes the columns of these ops, where that is quicker than from the ops themselves."""
        self._ops = tuple(ops)
        self._columns = columns

    @overload
    def __getitem__(self, at: int) -> Op: ...
    @overload
    def __getitem__(self, at: slice) -> History: ...
    def __getitem__(self, at: int | slice) -> Op | History:
        if isinstance(at, slice):
            return History(self._ops[at])
        return self._ops[at]

    def __len__(self) -> int:
        return len(self._ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self._ops)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._ops == other._ops

    def __hash__(self) -> int:
        return hash(self._ops)

    def __repr__(self) -> str:
        return f"<History of {len(self._ops)} ops>"

    def op(self, index: int) -> Op:
        """The op with this index, which is its position unless the history is a part of another.

        Raises: KeyError.
        """
        if index < len(self._ops) and self._ops[index].index == index:
            return self._ops[index]
        return self._by_index[index]

    def where(self, *, f: str | None = None, type: OpType | None = None) -> Iterator[Op]:
        """The clients' ops that have this `f` and this `type`; what is not given is not asked for."""
        for op in self._ops:
            if op.process != NEMESIS and (f is None or op.f == f) and (type is None or op.type == type):
                yield op

    @property
    def clients(self) -> Iterator[Op]:
        """What clients did."""
        return self.where()

    @property
    def nemesis(self) -> Iterator[Op]:
        """What the nemesis did."""
        return (op for op in self._ops if op.process == NEMESIS)

    def completion(self, op: Op) -> Op | None:
        """How an invoked client op ended; None if nothing was heard of it again."""
        return self._pairs[0].get(op.index)

    def invocation(self, op: Op) -> Op | None:
        """The invocation that a client's completion belongs to."""
        return self._pairs[1].get(op.index)

    @property
    def pairs(self) -> Iterator[tuple[Op, Op | None]]:
        """Each client invocation with its completion, in order of invocation."""
        for op in self.where(type="invoke"):
            yield op, self.completion(op)

    @cached_property
    def columns(self) -> Columns:
        """The clients' operations as parallel arrays."""
        from ostrakon.harness.history.columns import Columns

        return Columns.of(self._ops) if self._columns is None else self._columns()

    @cached_property
    def _by_index(self) -> dict[int, Op]:
        return {op.index: op for op in self._ops}

    @cached_property
    def _pairs(self) -> tuple[dict[int, Op], dict[int, Op]]:
        pending: dict[Process, Op] = {}
        completions: dict[int, Op] = {}
        invocations: dict[int, Op] = {}
        for op in self.clients:
            if op.type == "invoke":
                pending[op.process] = op
            elif (invoked := pending.pop(op.process, None)) is not None:
                completions[invoked.index] = op
                invocations[op.index] = invoked
        return completions, invocations
