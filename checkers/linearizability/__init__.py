"""Linearizability: did every operation take effect at one instant between its invocation and its return?

`linearizable` says so, of any object for which there is a model: a pure function from a state and an
operation to the next state, or ILLEGAL. The models of `checkers.models` need only be named.
"""

from checkers.linearizability.check import linearizable
from checkers.linearizability.decision import Budget
from checkers.linearizability.model import ILLEGAL, Model, Operation, UnsuitableHistory
from checkers.linearizability.wgl import wing_gong_lowe

__all__ = ["ILLEGAL", "Budget", "Model", "Operation", "UnsuitableHistory", "linearizable", "wing_gong_lowe"]
