"""Maelstrom's `broadcast` and `g-set`: what is added spreads to every node, and is never lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil, sqrt
from types import MappingProxyType
from typing import Any, Final

from ostrakon.checkers.collections.set_full import set_full
from ostrakon.harness.generator import OpRequest, Source, mix, numbered, repeat
from ostrakon.harness.history import Op
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Site
from ostrakon.workloads.maelstrom.client import asking, told
from ostrakon.workloads.maelstrom.cluster import RECOVERY_S, maelstrom_workload, until_done
from ostrakon.workloads.maelstrom.message import Body

_READ = repeat(OpRequest("read"))


def _ops(plan: Plan, rng: random.Random) -> Source:
    return mix(numbered(lambda number: OpRequest("add", number)), _READ, rng=rng)


def _problems(options: Mapping[str, Any]) -> Iterator[str]:
    if (kind := options.get("topology", "grid")) not in TOPOLOGIES:
        yield f"topology is {kind!r}; {suggestion(str(kind), TOPOLOGIES)}"


def _topology(site: Site) -> Body:
    """The request that tells a node the neighbours of each node."""
    kind = str(site.options.get("topology", "grid"))
    return {"type": "topology", "topology": neighbours(kind, site.nodes)}


def _ask_broadcast(op: Op) -> Body:
    return {"type": "broadcast", "message": op.value} if op.f == "add" else {"type": "read"}


def _answer_broadcast(op: Op, body: Body) -> object:
    return told(body, "read_ok", "messages") if op.f == "read" else told(body, "broadcast_ok") or op.value


def _ask_set(op: Op) -> Body:
    return {"type": "add", "element": op.value} if op.f == "add" else {"type": "read"}


def _answer_set(op: Op, body: Body) -> object:
    return told(body, "read_ok", "value") if op.f == "read" else told(body, "add_ok") or op.value


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


BROADCAST = maelstrom_workload(
    name="broadcast",
    about="Whether every message comes to every node in the end, though links are cut and lose some.",
    connect=asking(_ask_broadcast, _answer_broadcast, first=_topology),
    ops=_ops,
    final=until_done(lambda thread: [_READ]),
    recovery_s=RECOVERY_S,
    checks=lambda plan, history: {"set": lambda: set_full(history)},
    option_problems=_problems,
    options={"topology": f"how nodes are connected: {', '.join(TOPOLOGIES)}; grid if not given"},
)


G_SET = maelstrom_workload(
    name="g-set",
    about="Whether a set that only grows holds everywhere, in the end, whatever was added anywhere.",
    connect=asking(_ask_set, _answer_set),
    ops=_ops,
    final=until_done(lambda thread: [_READ]),
    recovery_s=RECOVERY_S,
    checks=lambda plan, history: {"set": lambda: set_full(history)},
)
