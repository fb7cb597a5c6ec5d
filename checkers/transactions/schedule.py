"""A first guess of the order of starts and commits: a schedule that overwrites no version too early, if it
can.

Events take place one after the other, each after those that certainly come before it. Of those that may take
place next, one is chosen that overwrites no version which somebody has yet to read. Whoever only reads goes
at once, while what it reads is current. Where nothing is free of harm, the event is chosen that does the
least; the search for an order of versions mends that."""

from __future__ import annotations

from collections import defaultdict
from heapq import heappop, heappush

from ostrakon.checkers.transactions.execution import INITIAL
from ostrakon.checkers.transactions.polygraph import Polygraph

_LOOKED_AT = 64
"""How many events are looked at for one that does no harm."""
_ANY = 1 << 30


def schedule(graph: Polygraph, rank: list[int]) -> list[int]:
    """All nodes in an order that follows the certain edges, which have no cycle."""
    return _Schedule(graph, rank).run()


class _Schedule:
    def __init__(self, graph: Polygraph, rank: list[int]) -> None:
        self.graph, self.rank = graph, rank
        members = range(len(graph.execution))
        self.behind: list[list[int]] = [[] for _ in range(graph.nodes)]
        self.awaited = [0] * graph.nodes
        for source, target in graph.edges:
            self.behind[source].append(target)
            self.awaited[target] += 1
        self.reads: list[list[tuple[int, int]]] = [[] for _ in members]
        self.writes: list[list[int]] = [[] for _ in members]
        self.readers: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.pending: dict[tuple[int, int], int] = defaultdict(int)
        """By key and version, how many have yet to read it."""
        for read in graph.reads:
            self.reads[read.reader].append((read.key, read.source))
            self.readers[read.key, read.source].append(read.reader)
            self.pending[read.key, read.source] += 1
        for key, writers in enumerate(graph.execution.writers):
            for writer in writers:
                self.writes[writer].append(key)
        self.current = [INITIAL] * len(graph.execution.writers)
        self.started_writers: dict[int, set[int]] = defaultdict(set)
        """By key, who started and will write it: at snapshot isolation nobody else may until then."""
        self.done = [False] * graph.nodes
        self.order: list[int] = []
        self.ready: list[tuple[int, int]] = []
        """By rank, the events that may take place; some have taken place already."""

    def run(self) -> list[int]:
        for node, count in enumerate(self.awaited):
            if not count:
                heappush(self.ready, (self.rank[node], node))
        while self.ready:
            self._next()
        return self.order

    def _next(self) -> None:
        """Take the first event that does no harm, or the one that does the least of those that could be
        next."""
        put_off: list[tuple[int, int]] = []
        while self.ready and len(put_off) < _LOOKED_AT:
            entry = heappop(self.ready)
            if self.done[entry[1]]:
                continue
            if self._take(entry[1], 0):
                break
            put_off.append(entry)
        else:
            if put_off:
                _, node = min(put_off, key=lambda entry: (self._harm_of_both(entry[1]), entry))
                if not self._take(node, _ANY):
                    self._place(node)
        for entry in put_off:
            heappush(self.ready, entry)

    def _take(self, node: int, harm_max: int) -> bool:
        """Let an event take place, with what must go with it, if that does no more harm than allowed."""
        member = self.graph.member(node)
        if member < 0:
            self._place(node)
            return True
        if self._harm(node) > harm_max:
            return False
        if self.graph.split and node == self.graph.start(member) and self.writes[member]:
            commit = self.graph.commit(member)
            if self.awaited[commit] > 1 or self._harm(commit) > harm_max:
                return False
            self._rescue(commit)
            self._place(node)
            self._place(commit)
            return True
        if self.writes[member] and node == self.graph.commit(member):
            self._rescue(node)
        self._place(node)
        return True

    def _harm(self, node: int) -> int:
        """How many reads the event spoils, its own among them."""
        graph, member = self.graph, self.graph.member(node)
        harm = 0
        if node == graph.start(member):
            harm += sum(self.current[key] != source for key, source in self.reads[member])
        if node == graph.commit(member):
            for key in self.writes[member]:
                version = self.current[key]
                if graph.level.rule == "snapshot":
                    harm += len(self.started_writers[key] - {member})
                if self.pending[key, version]:
                    harm += sum(
                        not self.done[graph.start(reader)] and not self._can_be_rescued(reader, member)
                        for reader in self.readers[key, version]
                        if reader != member
                    )
        return harm

    def _can_be_rescued(self, reader: int, writer: int) -> bool:
        """Whether a reader can start right before a commit that overwrites what it reads."""
        graph = self.graph
        start = graph.start(reader)
        if self.awaited[start] or not (graph.split or not self.writes[reader]):
            return False
        if any(self.current[key] != source for key, source in self.reads[reader]):
            return False
        return graph.level.rule != "snapshot" or not set(self.writes[reader]) & set(self.writes[writer])

    def _rescue(self, commit: int) -> None:
        writer = self.graph.member(commit)
        for key in self.writes[writer]:
            version = self.current[key]
            if not self.pending[key, version]:
                continue
            for reader in self.readers[key, version]:
                start = self.graph.start(reader)
                if reader != writer and not self.done[start] and self._can_be_rescued(reader, writer):
                    self._place(start)

    def _place(self, node: int) -> None:
        graph, member = self.graph, self.graph.member(node)
        self.done[node] = True
        self.order.append(node)
        for later in self.behind[node]:
            self.awaited[later] -= 1
            if not self.awaited[later]:
                heappush(self.ready, (self.rank[later], later))
        if member < 0:
            return
        if node == graph.start(member):
            for key, source in self.reads[member]:
                self.pending[key, source] -= 1
            if node != graph.commit(member):
                for key in self.writes[member]:
                    self.started_writers[key].add(member)
        if node == graph.commit(member):
            for key in self.writes[member]:
                self.current[key] = member
                self.started_writers[key].discard(member)

    def _harm_of_both(self, node: int) -> int:
        member = self.graph.member(node)
        if member < 0:
            return 0
        harm = self._harm(node)
        if self.graph.split and node == self.graph.start(member) and self.writes[member]:
            harm += self._harm(self.graph.commit(member))
        return harm
