"""The certificate of a satisfied model: an order of commits, and of starts where a model tells the two apart.

It is plain data. A transaction is named by the index of the op that says most about it, its completion if
there is one. `{"model": "rw-register", "consistency": "serializable", "order": [3, 1]}` says that the
transaction of op 3 commits first; `["start", 3]` that it starts, where it does so before it commits;
`["outside", key, value]` that somebody outside the history writes a value. From the order follow the
versions of each key, and from these and the reads, by the model's definition, what each transaction sees.
"""

from __future__ import annotations

from typing import Any, Literal

from ostrakon.checkers.transactions.execution import Execution
from ostrakon.checkers.transactions.snapshot_guess import Event
from ostrakon.checkers.transactions.table import Transactions
from ostrakon.checkers.transactions.wording import original

Certificate = dict[str, Any]
TransactionModel = Literal["list-append", "rw-register"]


def certificate(
    table: Transactions,
    model: TransactionModel,
    execution: Execution,
    consistency: str,
    events: tuple[Event, ...],
) -> Certificate:
    """The certificate that says that the members started and committed in this order."""
    order: list[Any] = []
    for kind, member in events:
        row = execution.rows[member]
        if row >= 0:
            index = table.op(row).index
            order.append(index if kind == "commit" else ["start", index])
        elif kind == "commit":
            order.append(["outside", *map(original, execution.outside[row])])
    return {"model": model, "consistency": consistency, "order": order}
