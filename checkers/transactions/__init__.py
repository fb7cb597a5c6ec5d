"""Transactions: is there an order in which they could have happened, and which models of consistency hold?

After Elle (Kingsbury and Alvaro, VLDB 2020): dependencies are inferred from values that are unique, and an
anomaly is a cycle among them, told with the reason for each edge.
"""

from checkers.transactions.appends import list_append
from checkers.transactions.consistency import MODELS, UnknownModel
from checkers.transactions.writes import rw_register

__all__ = ["MODELS", "UnknownModel", "list_append", "rw_register"]
