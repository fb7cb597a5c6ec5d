"""Sequential specifications: what a register, a lock, a queue, ... may answer.

Each says in its docstring which functions it knows and what their values are. `named` finds one by name.
"""

from ostrakon.checkers.models.collections import counter, element_set, fifo_queue, stack, unordered_queue
from ostrakon.checkers.models.keys import keyed, kv, list_append
from ostrakon.checkers.models.locks import fenced_lock, mutex
from ostrakon.checkers.models.named import NAMES, named
from ostrakon.checkers.models.registers import cas_register, multi_register, register

__all__ = [
    "NAMES",
    "cas_register",
    "counter",
    "element_set",
    "fenced_lock",
    "fifo_queue",
    "keyed",
    "kv",
    "list_append",
    "multi_register",
    "mutex",
    "named",
    "register",
    "stack",
    "unordered_queue",
]
