"""Why no order of commits satisfies a level: a proof by cases over the order of each two versions.

It is made for a minimal set of transactions, so that a person can follow it: for each two writers of a key
it is tried what follows if the one wrote first. Where that leads to a contradiction the other one wrote
first; where neither does, both cases are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ostrakon.checkers.transactions.execution import INITIAL, Execution
from ostrakon.checkers.transactions.levels import OVERTAKEN, Level
from ostrakon.checkers.transactions.polygraph import Edge, Polygraph, Why, certain
from ostrakon.checkers.transactions.saturation import seen_through, shortest_path
from ostrakon.checkers.transactions.table import Transactions
from ostrakon.checkers.transactions.wording import shown, told

Pair = tuple[int, int, int]
"""A key, the writer of the older version, and that of the newer one."""

_LINES_MAX = 60
"""A longer proof is cut: nobody follows it."""


def explain(
    table: Transactions, execution: Execution, level: Level, members: tuple[int, ...], model: str
) -> dict[str, Any]:
    """The details of the anomaly: `transactions` by label, `story` as text, and `why` in one sentence."""
    core, numbers = execution.restrict(members)
    labels = [f"T{number + 1}" for number in range(len(core))]
    transactions: dict[str, Any] = {}
    for label, member in zip(labels, numbers, strict=True):
        row = execution.rows[member]
        if row >= 0:
            op = table.op(row)
            transactions[label] = {"op": op.index, "process": op.process, "value": table.micro_ops[row]}
        else:
            key, value = execution.outside[row]
            transactions[label] = {"op": None, "process": "outside", "value": [["w", told(key), told(value)]]}
    proof = _Proof(certain(core, level), labels)
    lines = list(proof.lines(frozenset(), 0))
    if len(lines) > _LINES_MAX:
        lines = [*lines[:_LINES_MAX], "  ... and so on"]
    head = f"not-{model}: no order of commits of these {len(core)} transactions satisfies {model}"
    story = [head]
    for label, member in transactions.items():
        who = (
            f"op {member['op']}, process {member['process']}" if member["op"] is not None else "not recorded"
        )
        story.append(f"  {label} ({who}): {shown(member['value'])}")
    ops = ", ".join(str(member["op"]) for member in transactions.values() if member["op"] is not None)
    why = f"no order of commits of the transactions of ops {ops} satisfies {model}: {lines[-1].strip()}"
    story += ["because", *(f"  {line}" for line in lines)]
    return {"why": why, "transactions": transactions, "consistency": model, "story": "\n".join(story)}


@dataclass(slots=True, eq=False)
class _Proof:
    graph: Polygraph
    labels: list[str]

    def lines(self, decided: frozenset[Pair], depth: int) -> Iterator[str]:
        """The proof that the graph has no order if these pairs are ordered so."""
        indent = "  " * depth
        if (why := self._contradiction(decided)) is not None:
            yield f"{indent}{why}"
            return
        open_pairs = list(self._open(decided))
        moved = True
        while moved:
            moved = False
            for key, one, other in open_pairs:
                if {(key, one, other), (key, other, one)} & decided:
                    continue
                first = self._contradiction(decided | {(key, one, other)})
                second = self._contradiction(decided | {(key, other, one)})
                if first is None and second is None:
                    continue
                name = told(self.graph.execution.names[key])
                if first is not None and second is not None:
                    earlier, later = self.labels[one], self.labels[other]
                    yield f"{indent}{earlier} did not write {name} before {later}: {first}"
                    yield f"{indent}nor did {later} before {earlier}: {second}"
                    return
                if first is not None:
                    before, after, why = other, one, first
                else:
                    before, after, why = one, other, second or ""
                earlier, later = self.labels[before], self.labels[after]
                yield f"{indent}{earlier} wrote {name} before {later}, for otherwise {why}"
                decided |= {(key, before, after)}
                moved = True
        left = [pair for pair in open_pairs if not {pair, (pair[0], pair[2], pair[1])} & decided]
        if not left:
            yield f"{indent}every order that is left was excluded by the search"
            return
        key, one, other = left[0]
        name = told(self.graph.execution.names[key])
        for before, after in ((one, other), (other, one)):
            yield f"{indent}suppose {self.labels[before]} wrote {name} before {self.labels[after]}:"
            yield from self.lines(decided | {(key, before, after)}, depth + 1)

    def _open(self, decided: frozenset[Pair]) -> Iterator[Pair]:
        for key, writers in enumerate(self.graph.execution.writers):
            for one, other in combinations(writers, 2):
                if not {(key, one, other), (key, other, one)} & decided:
                    yield key, one, other

    def _contradiction(self, decided: frozenset[Pair]) -> str | None:
        graph = self.graph
        if graph.refuted:
            before, reader = graph.refuted[0]
            return self._missed(before, reader)
        edges = dict(graph.edges)
        for key, before, after in sorted(decided):
            edge = graph.commit(before), graph.installed_after(after)
            edges.setdefault(edge, Why("ww", key, before, after))
            if graph.level.rule in OVERTAKEN:
                for read in graph.reads:
                    if (read.key, read.source) == (key, before) and read.reader != after:
                        edge = graph.start(read.reader), graph.commit(after)
                        edges.setdefault(edge, Why("rw", key, before, after, read.reader))
        behind: dict[int, list[int]] = defaultdict(list)
        for source, target in edges:
            behind[source].append(target)
        cycle = _shortest_cycle(behind)
        if cycle is not None:
            return self._told_cycle(cycle, edges)
        return self._other_contradiction(decided, edges, behind)

    def _other_contradiction(
        self, decided: frozenset[Pair], edges: Mapping[Edge, Why], behind: dict[int, list[int]]
    ) -> str | None:
        rule = self.graph.level.rule
        if rule not in ("parallel", "cursor", "update"):
            return None
        for read in self.graph.reads:
            for after in self.graph.execution.writers[read.key]:
                older = read.source == INITIAL or (read.key, read.source, after) in decided
                if not older or after == read.reader:
                    continue
                missed = self._rw(read.key, read.source, after, read.reader)
                if rule == "parallel":
                    path = shortest_path(behind, after, read.reader)
                    if path:
                        return f"{self._told_path(path, edges)}; so it sees that, but {missed}"
                    continue
                for key, writers in enumerate(self.graph.execution.writers):
                    if rule == "cursor" and key != read.key:
                        continue
                    if read.reader in writers and (key, after, read.reader) in decided:
                        name = told(self.graph.execution.names[key])
                        own = f"{self.labels[read.reader]} overwrote the {name} of {self.labels[after]}"
                        return f"{own}, but {missed}"
        return None

    def _missed(self, before: int, reader: int) -> str:
        graph = self.graph
        key = next(
            read.key
            for read in graph.reads
            if (read.reader, read.source) == (reader, INITIAL) and before in graph.execution.writers[read.key]
        )
        through = sorted(seen_through(graph, before, reader) - {before, reader})
        via = f" through {', '.join(self.labels[member] for member in through)}" if through else ""
        seen = f"{self.labels[reader]} sees {self.labels[before]}{via}"
        return f"{seen}, but {self._rw(key, INITIAL, before, reader)}"

    def _told_cycle(self, cycle: list[Edge], edges: Mapping[Edge, Why]) -> str:
        return f"there is a cycle: {self._told_path(cycle, edges)}"

    def _told_path(self, path: list[Edge], edges: Mapping[Edge, Why]) -> str:
        parts = []
        for at, (source, target) in enumerate(path):
            why = edges[source, target]
            if why.kind == "start":
                continue
            one, other = self.graph.member(source), self.graph.member(target)
            if one < 0 and why.kind in ("realtime", "session", "rw"):
                continue  # The edge into the bundle told it.
            if other < 0:
                other = next(
                    (m for _, node in path[at:] if (m := self.graph.member(node)) >= 0),
                    self.graph.member(path[0][0]),
                )
                if why.kind == "rw":
                    why = why._replace(after=other)
            parts.append(self._told_edge(one, other, why))
        return ", ".join(parts)

    def _told_edge(self, one: int, other: int, why: Why) -> str:
        earlier, later = self.labels[one], self.labels[other]
        match why.kind:
            case "realtime":
                return f"{earlier} was complete before {later} began"
            case "session":
                return f"{earlier} ran before {later} in one process"
            case "wr":
                return f"{later} read the {self._name(why.key)} of {earlier}"
            case "rw":
                return self._rw(why.key, why.before, why.after, why.reader)
            case "seen":
                reader = self.labels[why.reader]
                return f"{reader} sees {earlier} but read the {self._name(why.key)} of {later}"
            case _:
                return f"{earlier} wrote {self._name(why.key)} before {later}"

    def _rw(self, key: int, before: int, after: int, reader: int) -> str:
        name, who = self._name(key), self.labels[reader]
        version = (
            f"the {name} of {self.labels[before]}"
            if before != INITIAL
            else f"{name} as nobody had written it"
        )
        return f"{who} read {version} and not that of {self.labels[after]}"

    def _name(self, key: int) -> str:
        return told(self.graph.execution.names[key])


def _shortest_cycle(behind: dict[int, list[int]]) -> list[Edge] | None:
    best: list[Edge] | None = None
    for source, targets in behind.items():
        for target in targets:
            back = shortest_path(behind, target, source)
            if back is not None and (best is None or len(back) + 1 < len(best)):
                best = [(source, target), *back]
    return best
