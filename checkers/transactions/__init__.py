"""Transactions: is there an order in which they could have happened, and which models of consistency hold?

After Elle (Kingsbury and Alvaro, VLDB 2020): dependencies are inferred from values that are unique, and an
anomaly is a cycle among them, told with the reason for each edge.
"""

from ostrakon.checkers.transactions.appends import list_append
from ostrakon.checkers.transactions.consistency import MODELS, UnknownModel
from ostrakon.checkers.transactions.writes import rw_register

__all__ = ["MODELS", "UnknownModel", "list_append", "rw_register"]
