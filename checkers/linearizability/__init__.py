"""Linearizability: did every operation take effect at one instant between its invocation and its return?

`linearizable` says so, of any object for which there is a model: a pure function from a state and an
operation to the next state, or ILLEGAL. The models of `ostrakon.checkers.models` need only be named.

Which file decides what: `check` is the entry, and has each answer confirmed by `replay` or by a plain
search (`wgl`). `deciding` chooses the method: `small` for short histories; `zones` for registers, after
`register_zones` has put the operations into blocks; `register_search` where values repeat; `append_zones`
for lists and strings; `queue_order` and `stack_order`; `search` for everything else; `sat` as the last
resort. `core` makes an impossible history small.

    >>> from ostrakon.harness.history import History, Op
    >>> history = History([
    ...     Op(0, 0, "invoke", 0, "write", 1), Op(1, 1, "ok", 0, "write", 1),
    ...     Op(2, 2, "invoke", 1, "read"), Op(3, 3, "ok", 1, "read", None),
    ... ])
    >>> verdict = linearizable(history, "register")
    >>> verdict.valid
    'invalid'
    >>> [(op.type, op.f) for op in verdict.anomalies[0].witness]
    [('invoke', 'write'), ('ok', 'write'), ('invoke', 'read'), ('ok', 'read')]

A model of one's own is a function; here a turnstile that must be pushed twice:

    >>> def turnstile(pushed: int, op: Operation) -> int | Illegal:
    ...     passes = pushed == 1
    ...     if op.known and op.result != passes:
    ...         return ILLEGAL
    ...     return 0 if passes else 1
    >>> pushes = History([
    ...     Op(0, 0, "invoke", 0, "push"), Op(1, 1, "ok", 0, "push", False),
    ...     Op(2, 2, "invoke", 0, "push"), Op(3, 3, "ok", 0, "push", True),
    ... ])
    >>> linearizable(pushes, Model("turnstile", 0, turnstile)).valid
    'valid'
"""

from ostrakon.checkers.linearizability.check import linearizable
from ostrakon.checkers.linearizability.decision import Budget
from ostrakon.checkers.linearizability.wgl import wing_gong_lowe
from ostrakon.checkers.models.model import ILLEGAL, Illegal, Model, Operation
from ostrakon.harness.history import UnsuitableHistory

__all__ = [
    "ILLEGAL",
    "Budget",
    "Illegal",
    "Model",
    "Operation",
    "UnsuitableHistory",
    "linearizable",
    "wing_gong_lowe",
]
