"""Maelstrom's `broadcast` and `g-set`: what is added spreads to every node, and is never lost."""

from __future__ import annotations

import random

from ostrakon.checkers.collections.set_full import set_full
from ostrakon.harness.generator import OpRequest, Source, mix, numbered, repeat
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Site
from ostrakon.workloads.maelstrom.client import Body, asking, told
from ostrakon.workloads.maelstrom.cluster import maelstrom_workload

_READ = repeat(OpRequest("read"))


def _ops(plan: Plan, rng: random.Random) -> Source:
    return mix(numbered(lambda number: OpRequest("add", number)), _READ, rng=rng)


def _grid(site: Site) -> Body:
    """Everyone's neighbours in a grid, as near to a square as can be."""
    nodes, width = site.nodes, max(1, round(len(site.nodes) ** 0.5))
    topology = {
        node: [
            nodes[other]
            for other in range(len(nodes))
            if abs(other - at) == width or (abs(other - at) == 1 and other // width == at // width)
        ]
        for at, node in enumerate(nodes)
    }
    return {"type": "topology", "topology": topology}


def _ask_broadcast(op: Op) -> Body:
    return {"type": "broadcast", "message": op.value} if op.f == "add" else {"type": "read"}


def _answer_broadcast(op: Op, body: Body) -> object:
    return told(body, "read_ok", "messages") if op.f == "read" else told(body, "broadcast_ok") or op.value


def _ask_set(op: Op) -> Body:
    return {"type": "add", "element": op.value} if op.f == "add" else {"type": "read"}


def _answer_set(op: Op, body: Body) -> object:
    return told(body, "read_ok", "value") if op.f == "read" else told(body, "add_ok") or op.value


BROADCAST = maelstrom_workload(
    name="broadcast",
    about="Whether every message comes to every node in the end, though links are cut and lose some.",
    connect=asking(_ask_broadcast, _answer_broadcast, first=_grid),
    ops=_ops,
    final=lambda thread: [_READ],
    checks=lambda history: {"set": lambda: set_full(history)},
)

G_SET = maelstrom_workload(
    name="g-set",
    about="Whether a set that only grows holds everywhere, in the end, whatever was added anywhere.",
    connect=asking(_ask_set, _answer_set),
    ops=_ops,
    final=lambda thread: [_READ],
    checks=lambda history: {"set": lambda: set_full(history)},
)
