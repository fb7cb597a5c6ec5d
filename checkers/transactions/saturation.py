"""Orders of versions that follow from the certain edges, until nothing more follows.

If another writer of a key leads to a reader of a version, it wrote before that version's writer: otherwise
the reader would have seen its version. And if one version is older than another, its readers come before the
other's writer (Biswas and Enea, OOPSLA 2019, section 4; Cobra, OSDI 2020, calls the first rule pruning)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import numpy.typing as npt

from ostrakon.checkers.transactions.closure import topological
from ostrakon.checkers.transactions.execution import INITIAL
from ostrakon.checkers.transactions.levels import OVERTAKEN
from ostrakon.checkers.transactions.polygraph import Edge, Polygraph, Why
from ostrakon.checkers.transactions.scc import strong_parts
from ostrakon.checkers.transactions.table import Ints

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
    reads = _Reads(graph)
    while done.order is not None and graph.nodes <= NODES_MAX:
        number += 1
        added = _consequences(done, reads)
        if done.refuted is not None:
            done.order = None
            return done
        if not added:
            break
        done.rounds.update(dict.fromkeys(added, number))
        done.order = topological(graph.nodes, graph.edges, rank)
    return done


def _consequences(done: Saturated, reads: _Reads) -> list[Edge]:
    """Add what follows from what leads to what now; the new edges."""
    graph = done.graph
    assert done.order is not None
    reached = _Reached(graph, done.order)
    added: list[Edge] = []
    seen = reached.leads(reads.other, reads.start)
    if np.any(initial := seen & (reads.source < 0)):
        at = int(np.argmax(initial))
        done.refuted = (graph.member(int(reads.other[at])), int(reads.reader[at]))
        return []
    for at in np.flatnonzero(seen & ~reached.leads(reads.other, reads.installed)).tolist():
        edge = int(reads.other[at]), int(reads.installed[at])
        before = graph.member(edge[0])
        why = Why("seen", int(reads.key[at]), before, int(reads.source[at]), int(reads.reader[at]))
        if graph.add(*edge, why):
            added.append(edge)
    if graph.level.rule in OVERTAKEN:
        known = reached.leads(reads.version, reads.after)
        for at in np.flatnonzero(known & ~reached.leads(reads.own_start, reads.after)).tolist():
            edge = int(reads.own_start[at]), int(reads.after[at])
            before, after = int(reads.source_of[at]), graph.member(edge[1])
            why = Why("rw", int(reads.key_of[at]), before, after, int(reads.reader_of[at]))
            if graph.add(*edge, why):
                added.append(edge)
        if graph.level.rule == "snapshot":
            one, other, starts = reads.one, reads.other_one, reads.other_start
            for at in np.flatnonzero(reached.leads(one, other) & ~reached.leads(one, starts)).tolist():
                before, after = graph.member(int(one[at])), graph.member(int(other[at]))
                added += graph.overwrite(int(reads.pair_key[at]), before, after)
    return added


class _Reads:
    """Which nodes have to be asked about, as arrays: they stay the same from round to round."""

    def __init__(self, graph: Polygraph) -> None:
        writers = graph.execution.writers
        one: list[tuple[int, int, int, int, int, int]] = []
        two: list[tuple[int, int, int, int, int, int]] = []
        for read in graph.reads:
            start = graph.start(read.reader)
            for other in writers[read.key]:
                if other in (read.reader, read.source):
                    continue
                commit = graph.commit(other)
                if read.source == INITIAL:
                    one.append((commit, start, 0, read.key, INITIAL, read.reader))
                    continue
                installed = graph.installed_after(read.source)
                one.append((commit, start, installed, read.key, read.source, read.reader))
                version = graph.commit(read.source)
                two.append((version, commit, start, read.key, read.source, read.reader))
        self.other, self.start, self.installed, self.key, self.source, self.reader = _columns(one)
        (self.version, self.after, self.own_start, self.key_of, self.source_of, self.reader_of) = _columns(
            two
        )
        pairs = []
        if graph.level.rule == "snapshot":
            for key, of_key in enumerate(writers):
                for before, after in permutations(of_key, 2):
                    pairs.append((graph.commit(before), graph.commit(after), graph.start(after), key, 0, 0))
        self.one, self.other_one, self.other_start, self.pair_key, _, _ = _columns(pairs)


def _columns(rows: list[tuple[int, int, int, int, int, int]]) -> Ints:
    return np.array(rows, np.int64).reshape(-1, 6).T


class _Reached:
    """Which node leads to which, a bit for each two."""

    def __init__(self, graph: Polygraph, order: list[int]) -> None:
        before: list[list[int]] = [[] for _ in range(graph.nodes)]
        for source, target in graph.edges:
            before[target].append(source)
        self._bits = np.zeros((graph.nodes, (graph.nodes + 7) // 8), np.uint8)
        bits = self._bits
        for node in order:
            row = bits[node]
            for source in before[node]:
                np.bitwise_or(row, bits[source], out=row)
            row[node >> 3] |= 1 << (node & 7)

    def leads(self, source: Ints, target: Ints) -> npt.NDArray[np.bool_]:
        """Whether each source leads to its target."""
        found: npt.NDArray[np.bool_] = (self._bits[target, source >> 3] >> (source & 7)) & 1 != 0
        return found


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
