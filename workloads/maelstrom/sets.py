"""Maelstrom's `broadcast` and `g-set`: what is added spreads to every node, and is never lost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from ostrakon.checkers.collections.set_full import set_full
from ostrakon.harness.generator import OpRequest, Source, mix, numbered, repeat
from ostrakon.harness.history import Op
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Site
from ostrakon.workloads.maelstrom.client import asking, told
from ostrakon.workloads.maelstrom.cluster import RECOVERY_S, maelstrom_workload, until_done
from ostrakon.workloads.maelstrom.message import Body
from ostrakon.workloads.maelstrom.topology import TOPOLOGIES, neighbours

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
