"""A history: the ops of one trial in the order in which they were recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from ostrakon.harness.history.op import NEMESIS, Op, OpType, Process

if TYPE_CHECKING:
    from ostrakon.harness.history.columns import Columns


class History(Sequence[Op]):
    """An immutable sequence of ops.

    `history[n]` is the op at position n, and `history.op(i)` is the op with index i. `invocation` and
    `completion` return the other op of a pair. An op without a completion stays concurrent with all later
    ops.
    """

    def __init__(self, ops: Iterable[Op] = (), *, columns: Callable[[], Columns] | None = None) -> None:
        """`columns` returns the columns of these ops, if there is a faster way than to make them from the
        ops."""
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
        """The op with this index. The index is the position, unless the history is a part of another one.

        Raises: KeyError.
        """
        if index < len(self._ops) and self._ops[index].index == index:
            return self._ops[index]
        return self._by_index[index]

    def where(self, *, f: str | None = None, type: OpType | None = None) -> Iterator[Op]:
        """The clients' ops with this `f` and this `type`; None stands for any."""
        for op in self._ops:
            if op.process != NEMESIS and (f is None or op.f == f) and (type is None or op.type == type):
                yield op

    @property
    def clients(self) -> Iterator[Op]:
        """The ops of clients."""
        return self.where()

    @property
    def nemesis(self) -> Iterator[Op]:
        """The ops of the nemesis."""
        return (op for op in self._ops if op.process == NEMESIS)

    def completion(self, op: Op) -> Op | None:
        """The completion of an invoked client op; None if it has none."""
        return self._pairs[0].get(op.index)

    def invocation(self, op: Op) -> Op | None:
        """The invocation of a client's completed op."""
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


def fruitless(history: History, required: Iterable[str] = ()) -> Iterator[str]:
    """A phrase for each kind of operation that was invoked, or is `required`, and never succeeded."""
    tried = Counter(op.f for op in history.where(type="invoke"))
    succeeded = {op.f for op in history.where(type="ok")}
    if not tried:
        yield "no client did anything"
    for f in sorted({*tried, *required} - succeeded):
        times = tried[f]
        yield f"{f} never succeeded in {times} tries" if times else f"{f} was never tried"
