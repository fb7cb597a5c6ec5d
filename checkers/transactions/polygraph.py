"""The part of a level's graph that is certain, before any order of versions is chosen.

Papadimitriou (1979) calls the graph with its open choices a polygraph. Of a rule with starts and commits
("split") each member has two nodes, otherwise one that is both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from ostrakon.checkers.transactions.closure import ancestors, bits, topological
from ostrakon.checkers.transactions.execution import INITIAL, Execution, Read, ran_before
from ostrakon.checkers.transactions.levels import FORCED, OVERTAKEN, SPLIT, Level


class Why(NamedTuple):
    """Why an edge is there: its kind, and the key, version and reader that it speaks of, -1 for none."""

    kind: str
    key: int = -1
    before: int = INITIAL
    """The version that comes first, for ww and rw."""
    after: int = INITIAL
    reader: int = -1


Edge = tuple[int, int]


@dataclass(slots=True, eq=False)
class Polygraph:
    """The certain edges of a level's graph, and the reads that matter to it."""

    execution: Execution
    level: Level
    reads: list[Read]
    nodes: int
    edges: dict[Edge, Why] = field(default_factory=dict)
    refuted: tuple[Edge, ...] = ()
    """Members of which one would have to come before the initial version: the level cannot hold."""

    @property
    def split(self) -> bool:
        """Whether members have a start and a commit."""
        return self.level.rule in SPLIT

    def start(self, member: int) -> int:
        """The node from which a member sees the versions."""
        return 2 * member if self.split else member

    def commit(self, member: int) -> int:
        """The node at which a member's versions are installed."""
        return 2 * member + 1 if self.split else member

    def member(self, node: int) -> int:
        """The member that a node belongs to; -1 for one that bundles edges."""
        if node >= len(self.execution) * (2 if self.split else 1):
            return -1
        return node // 2 if self.split else node

    def installed_after(self, member: int) -> int:
        """The node that comes after the commit of the version before this member's."""
        return self.start(member) if self.level.rule == "snapshot" else self.commit(member)

    def add(self, source: int, target: int, why: Why) -> bool:
        """Add an edge; False if there was one."""
        if (source, target) in self.edges or source == target:
            return False
        self.edges[source, target] = why
        return True

    def overwrite(self, key: int, before: int, after: int) -> list[Edge]:
        """Add what follows if one version is older than another; the edges that are new."""
        new = []
        if before != INITIAL:
            edge = self.commit(before), self.installed_after(after)
            if self.add(*edge, Why("ww", key, before, after)):
                new.append(edge)
        return new


def certain(execution: Execution, level: Level) -> Polygraph:
    """The graph of a level, with all edges that do not depend on a choice."""
    reads = [read for read in execution.reads if not (level.items_only and read.predicate)]
    graph = Polygraph(execution, level, reads, len(execution) * (2 if level.rule in SPLIT else 1))
    if graph.split:
        for member in range(len(execution)):
            graph.edges[2 * member, 2 * member + 1] = Why("start")
    if level.rule != "versions":
        # A predicate's reads are dependencies for every level: only its anti-dependencies may not count.
        for read in execution.reads:
            if read.source != INITIAL:
                why = Why("wr", read.key, read.source, reader=read.reader)
                graph.add(graph.commit(read.source), graph.start(read.reader), why)
    _add_order(graph)
    _add_chains(graph)
    if level.rule in OVERTAKEN:
        _add_first_overtakings(graph)
    if level.rule in FORCED:
        for read, before in _seen_too(graph):
            if read.source == INITIAL:
                graph.refuted = (*graph.refuted, (before, read.reader))
                continue
            why = Why("seen", read.key, before, read.source, read.reader)
            graph.add(graph.commit(before), graph.installed_after(read.source), why)
    return graph


def _add_order(graph: Polygraph) -> None:
    execution = graph.execution
    pairs = ran_before(execution, graph.level.order)
    shift = graph.nodes - len(execution)
    for earlier, later in zip(pairs.earlier.tolist(), pairs.later.tolist(), strict=True):
        source = graph.commit(earlier) if earlier < len(execution) else earlier + shift
        target = graph.start(later) if later < len(execution) else later + shift
        graph.add(source, target, Why(graph.level.order))
    graph.nodes = pairs.nodes + shift


def _add_chains(graph: Polygraph) -> None:
    """The versions of lists: each known one comes before the next, and the last before all that are not
    known."""
    for key, chain in enumerate(graph.execution.chains):
        if not chain:
            continue
        for before, after in pairwise(chain):
            graph.overwrite(key, before, after)
        known = set(chain)
        for after in graph.execution.writers[key]:
            if after not in known:
                graph.overwrite(key, chain[-1], after)


def _add_first_overtakings(graph: Polygraph) -> None:
    """Whoever read a version comes before the writer of the next one, where that one is known."""
    execution = graph.execution
    follower: list[dict[int, list[int]]] = []
    for writers, chain in zip(execution.writers, execution.chains, strict=True):
        known = set(chain)
        rest = [writer for writer in writers if writer not in known]
        following = [*([writer] for writer in chain), rest]
        follower.append(dict(zip([INITIAL, *chain], following, strict=True)))
    bundles: dict[tuple[int, int], int] = {}
    writing = [set(writers) for writers in execution.writers]
    for read in graph.reads:
        newer = follower[read.key].get(read.source)
        if not newer:
            continue
        start = graph.start(read.reader)
        if len(newer) == 1 or read.reader in writing[read.key]:
            for after in newer:
                if after != read.reader:
                    why = Why("rw", read.key, read.source, after, read.reader)
                    graph.add(start, graph.commit(after), why)
            continue
        bundle = bundles.get((read.key, read.source))
        if bundle is None:
            bundle = bundles[read.key, read.source] = graph.nodes
            graph.nodes += 1
            for after in newer:
                graph.add(bundle, graph.commit(after), Why("rw", read.key, read.source, after))
        graph.add(start, bundle, Why("rw", read.key, read.source, reader=read.reader))


def _seen_too(graph: Polygraph) -> Iterator[tuple[Read, int]]:
    """Reads, each with a writer of the same key that the reader sees without having read it."""
    rule = graph.level.rule
    writing: list[set[int]] = [set(writers) for writers in graph.execution.writers]
    if rule == "causal":
        yield from _seen_causally(graph, writing)
        return
    written: dict[int, list[int]] = defaultdict(list)
    for key, writers in enumerate(graph.execution.writers):
        for writer in writers:
            written[writer].append(key)
    for mine in _by_reader(graph.reads):
        sources: dict[int, None] = {}
        if rule != "monotonic":
            sources = dict.fromkeys(read.source for read in mine if read.source != INITIAL)
        for read in mine:
            for source in sources:
                if source != read.source and source != read.reader and source in writing[read.key]:
                    yield read, source
            if read.source != INITIAL:
                sources.setdefault(read.source)
    if rule != "monotonic" and graph.level.order == "session":
        yield from _seen_of_session(graph, writing)


def _by_reader(reads: Iterable[Read]) -> Iterator[list[Read]]:
    mine: dict[int, list[Read]] = defaultdict(list)
    for read in reads:
        mine[read.reader].append(read)
    yield from mine.values()


def _seen_of_session(graph: Polygraph, writing: list[set[int]]) -> Iterator[tuple[Read, int]]:
    """What the process of a reader had written before: of each key the latest will do."""
    execution = graph.execution
    mine: dict[int, list[Read]] = defaultdict(list)
    for read in graph.reads:
        mine[read.reader].append(read)
    keys_of: dict[int, list[int]] = defaultdict(list)
    for key, writers in enumerate(execution.writers):
        for writer in writers:
            keys_of[writer].append(key)
    latest: dict[tuple[int, int], int] = {}
    process = execution.process.tolist()
    for member in range(len(execution)):
        for read in mine.get(member, ()):
            before = latest.get((process[member], read.key))
            if before is not None and before != read.source:
                yield read, before
        for key in keys_of.get(member, ()):
            latest[process[member], key] = member


COLUMNS = 4096
"""Members whose descendants are followed at a time, so that memory stays linear in the history."""


def _seen_causally(graph: Polygraph, writing: list[set[int]]) -> Iterator[tuple[Read, int]]:
    """Everything that leads to a reader by reads and, of sessions, by their order.

    Sets of members are bits of an integer, a block of members at a time.
    """
    execution = graph.execution
    leads = [
        edge for edge, why in graph.edges.items() if why.kind in ("wr", "session") and edge[0] != edge[1]
    ]
    order = topological(graph.nodes, leads)
    if order is None:
        return  # The cycle is found in the graph itself.
    by_reader: dict[int, list[Read]] = defaultdict(list)
    for read in graph.reads:
        by_reader[read.reader].append(read)
    for begin in range(0, len(execution), COLUMNS):
        end = min(begin + COLUMNS, len(execution))
        masks = []
        for writers in execution.writers:
            mask = 0
            for writer in writers:
                if begin <= writer < end:
                    mask |= 1 << (writer - begin)
            masks.append(mask)
        seen = ancestors(order, leads, graph.nodes, begin, end)
        for reader, mine in by_reader.items():
            for read in mine:
                found = seen[reader] & masks[read.key]
                for bit in bits(found):
                    if begin + bit != read.source and begin + bit != reader:
                        yield read, begin + bit
