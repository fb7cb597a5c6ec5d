"""Orders of versions that follow from the certain edges, until nothing more follows.

If another writer of a key leads to a reader of a version, it wrote before that version's writer: otherwise
the reader would have seen its version. And if one version is older than another, its readers come before the
other's writer (Biswas and Enea, OOPSLA 2019, section 4; Cobra, OSDI 2020, calls the first rule pruning)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ostrakon.checkers.transactions.closure import ancestors, bits, topological
from ostrakon.checkers.transactions.execution import INITIAL
from ostrakon.checkers.transactions.levels import OVERTAKEN
from ostrakon.checkers.transactions.polygraph import Edge, Polygraph, Why
from ostrakon.checkers.transactions.scc import strong_parts

NODES_MAX = 45_000
"""Beyond so many nodes the sets of ancestors would need more than 250 MB; the search does without them
then."""


@dataclass(slots=True)
class Saturated:
    """A graph to which nothing can be added, or one that has a cycle."""

    graph: Polygraph
    order: list[int] | None
    """A topological order of the nodes; None if there is a cycle."""
    rounds: dict[Edge, int] = field(default_factory=dict)
    """In which round each edge was added that was not certain from the start."""
    refuted: Edge | None = None
    """A member that leads to a reader of the initial version of a key that it wrote; and that reader."""


def saturate(graph: Polygraph, rank: list[int]) -> Saturated:
    """Add what follows to the graph; nodes of lower rank come first in the order where there is a choice."""
    done = Saturated(graph, topological(graph.nodes, graph.edges, rank))
    rule = graph.level.rule
    if rule not in OVERTAKEN and rule != "parallel":
        return done
    number = 0
    while done.order is not None and graph.nodes <= NODES_MAX:
        number += 1
        added = _consequences(done)
        if done.refuted is not None:
            done.order = None
            return done
        if not added:
            break
        done.rounds.update(dict.fromkeys(added, number))
        done.order = topological(graph.nodes, graph.edges, rank)
    return done


def _consequences(done: Saturated) -> list[Edge]:
    graph, execution = done.graph, done.graph.execution
    assert done.order is not None
    reached = ancestors(done.order, graph.edges, graph.nodes, 0, graph.nodes)
    of_node = {graph.commit(member): member for member in range(len(execution))}
    masks = [sum(1 << graph.commit(writer) for writer in writers) for writers in execution.writers]
    added: list[Edge] = []
    for read in graph.reads:
        found = reached[graph.start(read.reader)] & masks[read.key]
        if read.source != INITIAL:
            found &= ~(1 << graph.commit(read.source)) & ~reached[graph.installed_after(read.source)]
        for bit in bits(found):
            before = of_node[bit]
            if before == read.reader:
                continue
            if read.source == INITIAL:
                done.refuted = (before, read.reader)
                return added
            edge = bit, graph.installed_after(read.source)
            if graph.add(*edge, Why("seen", read.key, before, read.source, read.reader)):
                added.append(edge)
    if graph.level.rule in OVERTAKEN:
        added += _overtakings(graph, reached, masks, of_node)
    return added


def _overtakings(
    graph: Polygraph, reached: list[int], masks: list[int], of_node: dict[int, int]
) -> list[Edge]:
    execution = graph.execution
    readers: dict[tuple[int, int], int] = defaultdict(int)
    member_of = {graph.start(member): member for member in range(len(execution))}
    for read in graph.reads:
        readers[read.key, read.source] |= 1 << graph.start(read.reader)
    added: list[Edge] = []
    for key, writers in enumerate(execution.writers):
        for after in writers:
            commit = graph.commit(after)
            for bit in bits(reached[commit] & masks[key]):
                before = of_node[bit]
                if graph.split and not reached[graph.installed_after(after)] >> bit & 1:
                    added += graph.overwrite(key, before, after)
                late = readers.get((key, before), 0) & ~reached[commit] & ~(1 << graph.start(after))
                for start in bits(late):
                    edge = start, commit
                    if graph.add(*edge, Why("rw", key, before, after, member_of[start])):
                        added.append(edge)
    return added


def involved(done: Saturated) -> set[int]:
    """The members that a cycle rests on, with all that its edges follow from."""
    graph = done.graph
    if done.refuted is not None:
        before, reader = done.refuted
        latest = max(done.rounds.values(), default=0)
        path = _path(graph, graph.commit(before), graph.start(reader), done.rounds, latest)
    else:
        path = cycle_of(graph.nodes, graph.edges)
    found: set[int] = set()
    waiting, seen = list(path), set(path)
    while waiting:
        edge = waiting.pop()
        why = graph.edges[edge]
        found.update(graph.member(node) for node in edge)
        found.update((why.before, why.after, why.reader))
        number = done.rounds.get(edge, 0)
        if why.kind == "seen" and not number:
            found.update(seen_through(graph, why.before, why.reader))
            continue
        if why.kind == "seen":
            ends = graph.commit(why.before), graph.start(why.reader)
        elif why.kind in ("rw", "ww") and number:
            ends = graph.commit(why.before), graph.commit(why.after)
        else:
            continue
        for step in _path(graph, *ends, done.rounds, number - 1):
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return {member for member in found if member >= 0}


def seen_through(graph: Polygraph, before: int, reader: int) -> set[int]:
    """The members through which a reader sees another member, by reads and the order of sessions alone."""
    if graph.level.rule != "causal":
        return {before, reader}
    behind: dict[int, list[int]] = defaultdict(list)
    for (source, target), why in graph.edges.items():
        if why.kind in ("wr", "session"):
            behind[source].append(target)
    path = shortest_path(behind, before, reader)
    assert path is not None, (before, reader)
    return {before, *(node for _, node in path)}


def _path(graph: Polygraph, source: int, target: int, rounds: dict[Edge, int], latest: int) -> list[Edge]:
    """The shortest path over edges that were there after a round."""
    behind: dict[int, list[int]] = defaultdict(list)
    for edge in graph.edges:
        if rounds.get(edge, 0) <= latest:
            behind[edge[0]].append(edge[1])
    path = shortest_path(behind, source, target)
    assert path is not None, (source, target)
    return path


def shortest_path(behind: dict[int, list[int]], source: int, target: int) -> list[Edge] | None:
    """The edges from one node to another, as few as possible; None if there is no way."""
    came = {source: source}
    queue = deque([source])
    while queue:
        node = queue.popleft()
        if node == target:
            path = []
            while node != source:
                path.append((came[node], node))
                node = came[node]
            return path[::-1]
        for later in behind.get(node, ()):
            if later not in came:
                came[later] = node
                queue.append(later)
    return None


def cycle_of(nodes: int, edges: Iterable[Edge]) -> list[Edge]:
    """A short cycle of a graph that has one."""
    best: list[Edge] | None = None
    for part in strong_parts(nodes, edges):
        for source, later in list(part.items())[:50]:
            for target in later[:4]:
                back = shortest_path(part, target, source)
                if back is not None and (best is None or len(back) + 1 < len(best)):
                    best = [(source, target), *back]
    assert best is not None
    return best
