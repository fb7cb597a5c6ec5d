"""The topologies that `broadcast` suggests to nodes: the neighbours of each node, by name of the shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt
from types import MappingProxyType
from typing import Final

Neighbours = dict[str, list[str]]


def _line(nodes: Sequence[str]) -> Neighbours:
    return {node: [*nodes[max(at - 1, 0) : at], *nodes[at + 1 : at + 2]] for at, node in enumerate(nodes)}


def _grid(nodes: Sequence[str]) -> Neighbours:
    """Rows of equal width, as near to a square as can be; the last row may be shorter."""
    width = ceil(sqrt(len(nodes)))
    return {
        node: [
            other
            for at_other, other in enumerate(nodes)
            if abs(at_other - at) == width or (abs(at_other - at) == 1 and at_other // width == at // width)
        ]
        for at, node in enumerate(nodes)
    }


def _total(nodes: Sequence[str]) -> Neighbours:
    return {node: [other for other in nodes if other != node] for node in nodes}


def _tree(branches: int) -> Callable[[Sequence[str]], Neighbours]:
    """A tree whose nodes have so many children, filled row by row: a heap's numbering."""

    def neighbours(nodes: Sequence[str]) -> Neighbours:
        return {
            node: [
                *([nodes[(at - 1) // branches]] if at else []),
                *nodes[at * branches + 1 : at * branches + branches + 1],
            ]
            for at, node in enumerate(nodes)
        }

    return neighbours


TOPOLOGIES: Final[Mapping[str, Callable[[Sequence[str]], Neighbours]]] = MappingProxyType(
    {
        "grid": _grid,
        "line": _line,
        "tree": _tree(2),
        "tree2": _tree(2),
        "tree3": _tree(3),
        "tree4": _tree(4),
        "total": _total,
    }
)


def neighbours(kind: str, nodes: Sequence[str]) -> Neighbours:
    """The neighbours of each node. Raises: KeyError, if no topology has this name.

    >>> neighbours("line", ["n1", "n2", "n3"])
    {'n1': ['n2'], 'n2': ['n1', 'n3'], 'n3': ['n2']}
    """
    return TOPOLOGIES[kind](nodes)
