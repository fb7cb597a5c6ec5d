"""What an object is allowed to do, one operation at a time: the sequential specification.

A model is a pure function `step(state, op)`, which gives the state after `op`, or ILLEGAL if an object in
that state would not have answered so. Everything else a model says is a hint that makes checking quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from ostrakon.harness.history.columns import FAIL, INFO, NEVER, Columns

if TYPE_CHECKING:
    from ostrakon.checkers.models.append_operations import Appends
    from ostrakon.checkers.models.register_operations import RegisterColumns

State = Hashable


class Illegal(Enum):
    """The type of ILLEGAL."""

    ILLEGAL = "ILLEGAL"


ILLEGAL: Final = Illegal.ILLEGAL
"""What `step` gives for an answer that the state does not allow."""


class Operation(NamedTuple):
    """One operation as a model sees it.

    Its values are frozen (`ostrakon.harness.history.value`): lists are tuples, and `==` holds exactly where
    JSON is equal, so that `true`, 1 and 1.0 are three values. A boolean is equal to `True` or `False` and
    decides conditions as these do, but is no `bool`: test it with `==`, never with `is` or `isinstance`.
    """

    row: int
    """Its row in the columns it was taken from."""
    f: str
    argument: Any
    """What was asked for: the value of the invocation."""
    result: Any
    """What was answered: the value of the completion; None if nothing was."""
    known: bool
    """Whether it completed. If not, it may have taken effect at any time since, or never."""
    refused: bool
    """Whether it was carried out and found another value than it expected."""
    process: int
    invoked: int
    """Position in the history."""
    returned: int
    """Position in the history; NEVER if it is not known."""


def _never(op: Operation) -> bool:
    return False


@dataclass(frozen=True)
class Model:
    """A sequential specification, and hints.

    `step` must be a function of its arguments alone, and states must be hashable. For an operation that
    is not known, `step` gives the state that it would have led to had it taken effect; it must allow
    whatever some answer would have allowed.
    """

    name: str
    initial: State
    step: Callable[[Any, Operation], State | Illegal]
    fs: frozenset[str] | None = None
    """The functions it knows; None if it is to be asked about any."""
    compares: frozenset[str] = frozenset()
    """Those whose `fail` can mean that they were carried out and found another value than expected."""
    pure: Callable[[Operation], bool] = _never
    """Whether an operation only looks: where it leaves the state as it is, carrying it out costs nothing."""
    overwrites: Callable[[Operation], bool] = _never
    """Whether the state after an operation doesn't depend on the state before, and it can be the first."""
    needless: Callable[[Sequence[Operation]], set[int]] | None = None
    """Rows of unknown operations without which the others could have taken the same course."""
    anonymous: bool = True
    """Whether it makes no difference which process does something."""
    keyed: bool = False
    """Whether there is an object for each key: values are pairs of a key and what the object gets to see."""
    key: Callable[[Operation], Hashable | None] | None = None
    """Tells apart operations that have nothing to do with each other; None has to do with all of them."""
    registers: Callable[[Columns], RegisterColumns | None] | None = None
    """The operations as reads, writes and compare-and-swaps of one register, where they are nothing else."""
    appends: Callable[[Columns], Appends | None] | None = None
    """The operations as reads, writes and appends of one sequence, where they are nothing else."""
    method: Literal["queue", "stack", "set"] | None = None
    """What kind of collection it is, if it is one: collections have methods of their own beside search."""


def operations(columns: Columns) -> Iterator[Operation]:
    """The rows as operations, in order of invocation."""
    values, fs = columns.values, columns.fs
    known = columns.outcome != INFO
    fields = zip(
        range(len(columns)),
        [fs[code] for code in columns.f.tolist()],
        [values[code] for code in columns.argument.tolist()],
        [values[code] for code in np.where(known, columns.result, 0).tolist()],
        known.tolist(),
        (columns.outcome == FAIL).tolist(),
        columns.process.tolist(),
        columns.invoked.tolist(),
        np.where(known, columns.returned, NEVER).tolist(),
        strict=True,
    )
    return map(partial(tuple.__new__, Operation), fields)  # Much faster than to call Operation.
