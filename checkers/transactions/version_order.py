"""A search for orders of versions under which a level's graph has no cycle.

Orders are guessed first, by the certain edges and the time of invocation. Each cycle that a guess leads to
is a clause: the pairs of versions on it are not all ordered so. A SAT solver then says which pairs to turn,
and the next guess keeps to it; so only the pairs that matter ever become variables (lazily added clauses, as
Cobra and PolySI have MonoSAT add them). The budget is in conflicts of the solver and in rounds, never in
time."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ostrakon.checkers.transactions.closure import topological
from ostrakon.checkers.transactions.execution import INITIAL
from ostrakon.checkers.transactions.levels import OVERTAKEN
from ostrakon.checkers.transactions.polygraph import Polygraph
from ostrakon.checkers.transactions.saturation import shortest_path
from ostrakon.checkers.transactions.scc import strong_parts

Pair = tuple[int, int, int]
"""A key, the writer of an older version, and that of a newer one."""

CONFLICTS = 200_000
"""How often the solver may run into a contradiction, over all rounds of one level."""
ROUNDS = 2_000
_CYCLES = 400
"""How many cycles become clauses in one round."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Pairs that are not all ordered so, and the members that show it."""

    pairs: tuple[Pair, ...]
    members: frozenset[int]


@dataclass(frozen=True, slots=True)
class VersionOrder:
    """An order of all nodes of the graph that follows its edges and those of the versions' order."""

    nodes: list[int]


@dataclass(frozen=True, slots=True)
class NoVersionOrder:
    """There is no order, and the transactions of some conflicts that exclude each other are these."""

    members: frozenset[int]


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The budget was used up."""

    why: str


Orders = list[list[int]]


@dataclass(slots=True, eq=False)
class _Choices:
    """The pairs that became variables, and the clauses over them."""

    guess: list[int]
    """The rank of each member in the first guess."""
    variable: dict[Pair, int] = field(default_factory=dict)
    pair_of: list[Pair] = field(default_factory=list)
    chosen: dict[int, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    """By key, the pairs as they are ordered now."""
    fresh: set[int] = field(default_factory=set)
    """The keys of pairs that became variables since the last choice."""

    def literal(self, pair: Pair) -> int:
        """The literal that says that the pair is ordered so."""
        key, before, after = pair
        if self.guess[before] > self.guess[after]:
            return -self.literal((key, after, before))
        if pair not in self.variable:
            self.pair_of.append(pair)
            self.variable[pair] = len(self.pair_of)
            self.chosen[key].add((before, after))
            self.fresh.add(key)
        return self.variable[pair]

    def choose(self, model: Iterable[int]) -> set[int]:
        """Order the pairs as a model says; the keys of which some pair turned or is new."""
        turned, self.fresh = self.fresh, set()
        for literal in model:
            if abs(literal) > len(self.pair_of):
                continue
            key, before, after = self.pair_of[abs(literal) - 1]
            right, wrong = ((before, after), (after, before))[:: 1 if literal > 0 else -1]
            if right not in self.chosen[key]:
                self.chosen[key].discard(wrong)
                self.chosen[key].add(right)
                turned.add(key)
        return turned


def find_order(
    graph: Polygraph, order: list[int], *, conflicts: int = CONFLICTS
) -> VersionOrder | NoVersionOrder | GaveUp:
    """Search, beginning with a topological order of the certain edges."""
    from pysat.solvers import Cadical195

    place = {node: at for at, node in enumerate(order)}
    guess = [place[graph.commit(member)] for member in range(len(graph.execution))]
    choices = _Choices(guess)
    orders = [sorted(writers, key=guess.__getitem__) for writers in graph.execution.writers]
    known = [
        {pair for at, before in enumerate(chain) for pair in ((before, after) for after in chain[at + 1 :])}
        if len(chain) < 50
        else set()
        for chain in graph.execution.chains
    ]
    clauses: list[Conflict] = []
    seen: set[tuple[Pair, ...]] = set()
    with Cadical195() as solver:
        for _ in range(ROUNDS):
            found, placed = _conflicts(graph, orders, place)
            if not found:
                return VersionOrder(placed)
            while found:
                fresh = [conflict for conflict in found if conflict.pairs not in seen]
                assert fresh, "a clause was added, and the order breaks it again"
                for conflict in fresh:
                    seen.add(conflict.pairs)
                    clauses.append(conflict)
                    literals = [-choices.literal(pair) for pair in conflict.pairs]
                    if not literals:
                        return NoVersionOrder(conflict.members)
                    solver.add_clause(literals)
                solver.set_phases(list(range(1, len(choices.pair_of) + 1)))
                spent = solver.accum_stats()["conflicts"]
                if spent >= conflicts:  # A budget of none would be no budget to the solver.
                    return GaveUp(f"the solver met {spent} conflicts")
                solver.conf_budget(conflicts - spent)
                satisfiable = solver.solve_limited()
                if satisfiable is None:
                    return GaveUp(f"the solver met {conflicts} conflicts")
                if not satisfiable:
                    return NoVersionOrder(_core(clauses, choices))
                found = list(
                    _reorder(graph, orders, choices, choices.choose(solver.get_model() or ()), known)
                )
    return GaveUp(f"{ROUNDS} rounds of the search did not suffice")


def _core(clauses: list[Conflict], choices: _Choices) -> frozenset[int]:
    """The members of clauses that exclude each other, not of all that were added."""
    from pysat.solvers import Glucose4

    first = len(choices.pair_of) + 1
    with Glucose4() as solver:
        for at, conflict in enumerate(clauses):
            solver.add_clause([-(first + at), *(-choices.literal(pair) for pair in conflict.pairs)])
        solver.solve(assumptions=list(range(first, first + len(clauses))))
        core = solver.get_core() or []
    return frozenset(member for literal in core for member in clauses[literal - first].members)


def _reorder(
    graph: Polygraph,
    orders: Orders,
    choices: _Choices,
    keys: set[int],
    known: list[set[tuple[int, int]]],
) -> Iterator[Conflict]:
    """Bring the orders of these keys into line with the choices; a cycle of choices is a conflict."""
    for key in sorted(keys):
        writers = graph.execution.writers[key]
        pairs = sorted(choices.chosen[key])
        behind: dict[int, list[int]] = {writer: [] for writer in writers}
        awaited = dict.fromkeys(writers, 0)
        for before, after in (*pairs, *sorted(known[key])):
            behind[before].append(after)
            awaited[after] += 1
        ready = [(choices.guess[writer], writer) for writer in writers if not awaited[writer]]
        heapify(ready)
        ordered = []
        while ready:
            _, writer = heappop(ready)
            ordered.append(writer)
            for after in behind[writer]:
                awaited[after] -= 1
                if not awaited[after]:
                    heappush(ready, (choices.guess[after], after))
        if len(ordered) == len(writers):
            orders[key] = ordered
            continue
        stuck = {writer for writer in writers if awaited[writer]}
        for before, after in pairs:
            if before in stuck and after in stuck:
                back = shortest_path(behind, after, before)
                if back is not None:
                    steps = [(before, after), *back]
                    yield Conflict(
                        tuple(sorted((key, *step) for step in steps if step not in known[key])),
                        frozenset(before for before, _ in steps),
                    )
                    break


def _conflicts(graph: Polygraph, orders: Orders, place: dict[int, int]) -> tuple[list[Conflict], list[int]]:
    """What is wrong with the orders; and a topological order of all nodes if nothing is."""
    rule = graph.level.rule
    pairs: dict[tuple[int, int], Pair | None] = dict.fromkeys(graph.edges)
    for source, target, pair in _chosen_edges(graph, orders):
        if source != target:
            pairs.setdefault((source, target), pair)
    found = list(_cycles(graph, pairs, place))
    if found:
        return found, []
    rank = [place[node] for node in range(graph.nodes)]
    placed = topological(graph.nodes, pairs, rank)
    assert placed is not None
    match rule:
        case "parallel":
            found = list(_single_overtakings(graph, orders, pairs, placed))
        case "cursor":
            found = list(_between(graph, orders))
        case "update":
            found = list(_unseen_overwrites(graph, orders))
        case _:
            pass
    return found[:_CYCLES], placed


def _chosen_edges(graph: Polygraph, orders: Orders) -> Iterator[tuple[int, int, Pair]]:
    """The edges that the orders lead to; a pair whose first version is the initial one is no choice."""
    for key, order in enumerate(orders):
        for before, after in pairwise(order):
            yield graph.commit(before), graph.installed_after(after), (key, before, after)
    if graph.level.rule in OVERTAKEN:
        for read, after in overtakings(graph, orders):
            yield graph.start(read[0]), graph.commit(after), (read[1], read[2], after)


def overtakings(graph: Polygraph, orders: Orders) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Each read, as reader, key and source, with the writer of the version after the one that was read."""
    following: list[dict[int, int]] = [dict(zip([INITIAL, *order], order, strict=False)) for order in orders]
    for read in graph.reads:
        after = following[read.key].get(read.source)
        if after is not None and after == read.reader:
            # What comes after the reader's own version comes after the reader anyway.
            continue
        if after is not None:
            yield (read.reader, read.key, read.source), after


def late_reads(graph: Polygraph, order: list[int]) -> int:
    """How many reads would come after the next version of what they read, if all took place in this order."""
    place = {node: at for at, node in enumerate(order)}
    orders = [
        sorted(writers, key=lambda writer: place[graph.commit(writer)]) for writers in graph.execution.writers
    ]
    return sum(
        place[graph.commit(after)] < place[graph.start(read[0])] for read, after in overtakings(graph, orders)
    )


def _cycles(
    graph: Polygraph, pairs: dict[tuple[int, int], Pair | None], place: dict[int, int]
) -> Iterator[Conflict]:
    """Cycles through edges that run against the first guess, at most so many."""
    count = 0
    for part in strong_parts(graph.nodes, pairs):
        edges = [(source, target) for source, targets in part.items() for target in targets]
        paths = _Paths({edge: pairs[edge] for edge in edges})
        against = [(source, target) for source, target in edges if place[target] < place[source]]
        step = max(1, len(against) // _CYCLES)
        for source, target in against[::step]:
            path = paths.fewest_choices(target, source)
            if path is None:
                continue
            steps = [(source, target, pairs[source, target]), *path]
            yield _conflict(graph, steps)
            count += 1
            if count >= _CYCLES:
                return


def _conflict(graph: Polygraph, steps: Iterable[tuple[int, int, Pair | None]]) -> Conflict:
    steps = list(steps)
    members = {graph.member(source) for source, _, _ in steps}
    chosen = set()
    for _, _, pair in steps:
        if pair is not None:
            members.update(pair[1:])
            if pair[1] != INITIAL:
                chosen.add(pair)
    for source, target, pair in steps:
        if pair is None:
            why = graph.edges[source, target]
            members.update((why.before, why.after, why.reader))
    return Conflict(tuple(sorted(chosen)), frozenset(member for member in members if member >= 0))


Path = list[tuple[int, int, Pair | None]]


class _Paths:
    """Paths of a graph with as few chosen edges as possible.

    A long search asks for a hundred thousand of them, so scipy finds those of large graphs. In small ones, to
    import it would take longer; in the largest ones, a path that ends nearby is found sooner without it.
    """

    def __init__(self, pairs: dict[tuple[int, int], Pair | None]) -> None:
        self._pairs = pairs
        self._behind: dict[int, list[tuple[int, Pair | None]]] = defaultdict(list)
        self._came: dict[int, npt.NDArray[np.int32]] = {}
        """By node, the node before each other one on the way from there."""
        self._is_large = len(pairs) in _LARGE
        if self._is_large:
            from scipy import sparse

            ends = np.array(list(pairs), np.int32)
            self._names, places = np.unique(ends, return_inverse=True)
            source, target = places.reshape(-1, 2).T
            choices = np.fromiter((pair is not None for pair in pairs.values()), np.float64, len(pairs))
            shape = (len(self._names), len(self._names))
            self._matrix = sparse.csr_matrix((1 + choices * len(self._names), (source, target)), shape=shape)
        else:
            for (source_, target_), pair in pairs.items():
                self._behind[source_].append((target_, pair))

    def fewest_choices(self, source: int, target: int) -> Path | None:
        """The edges from one node to another one; None if there is no way."""
        if not self._is_large:
            return _fewest_choices(self._behind, source, target)
        begin, at = np.searchsorted(self._names, (source, target)).tolist()
        if source not in self._came:
            self._came[source] = self._paths_from(begin)
        came = self._came[source]
        nodes = [at]
        while nodes[-1] != begin:
            if (before := int(came[nodes[-1]])) < 0:
                return None
            nodes.append(before)
        names = self._names[nodes[::-1]].tolist()
        return [(*edge, self._pairs[edge]) for edge in pairwise(names)]

    def _paths_from(self, begin: int) -> npt.NDArray[np.int32]:
        from scipy.sparse.csgraph import dijkstra

        _, came = dijkstra(self._matrix, indices=begin, return_predecessors=True)
        return np.asarray(came, np.int32)


_LARGE = range(2_000, 100_000)
"""With so many edges scipy is quicker."""


def _fewest_choices(
    behind: Mapping[int, list[tuple[int, Pair | None]]], source: int, target: int
) -> Path | None:
    """A path with as few chosen edges as possible."""
    cost = {source: 0}
    came: dict[int, tuple[int, Pair | None]] = {}
    queue = deque([source])
    done: set[int] = set()
    while queue:
        node = queue.popleft()
        if node in done:
            continue
        done.add(node)
        if node == target:
            path = []
            while node != source:
                before, pair = came[node]
                path.append((before, node, pair))
                node = before
            return path[::-1]
        for later, pair in behind.get(node, ()):
            new = cost[node] + (pair is not None)
            if new < cost.get(later, new + 1):
                cost[later] = new
                came[later] = (node, pair)
                if pair is None:
                    queue.appendleft(later)
                else:
                    queue.append(later)
    return None


_BLOCK = 2048


def _single_overtakings(
    graph: Polygraph, orders: Orders, pairs: dict[tuple[int, int], Pair | None], placed: list[int]
) -> Iterator[Conflict]:
    """Cycles with exactly one anti-dependency: the next version's writer leads back to the reader."""
    at = {node: position for position, node in enumerate(placed)}
    suspects = [(read, after) for read, after in overtakings(graph, orders) if at[after] < at[read[0]]]
    targets = sorted({after for _, after in suspects}, key=at.__getitem__)
    column = {target: number for number, target in enumerate(targets)}
    paths: _Paths | None = None
    for begin in range(0, len(targets), _BLOCK):
        block = set(targets[begin : begin + _BLOCK])
        reached = _reached_from(block, column, begin, pairs, placed, graph.nodes)
        for read, after in suspects:
            if after in block and reached[read[0]] >> (column[after] - begin) & 1:
                paths = paths or _Paths(pairs)
                path = paths.fewest_choices(after, read[0])
                assert path is not None
                yield _conflict(graph, [(read[0], after, (read[1], read[2], after)), *path])


def _reached_from(
    block: set[int],
    column: dict[int, int],
    begin: int,
    pairs: Iterable[tuple[int, int]],
    placed: list[int],
    nodes: int,
) -> list[int]:
    before: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in pairs:
        before[target].append(source)
    reached = [0] * nodes
    for node in placed:
        mask = 0
        for source in before[node]:
            mask |= reached[source]
        if node in block:
            mask |= 1 << (column[node] - begin)
        reached[node] = mask
    return reached


def _between(graph: Polygraph, orders: Orders) -> Iterator[Conflict]:
    """Writers between a transaction's read of a key and its own write of that key."""
    at = [{writer: position for position, writer in enumerate(order)} for order in orders]
    for read in graph.reads:
        own = at[read.key].get(read.reader)
        if own is None:
            continue
        since = at[read.key][read.source] + 1 if read.source != INITIAL else 0
        for between in orders[read.key][since:own]:
            chosen = [(read.key, between, read.reader)]
            if read.source != INITIAL:
                chosen.append((read.key, read.source, between))
            members = {between, read.reader, read.source} - {INITIAL}
            yield Conflict(tuple(sorted(chosen)), frozenset(members))


def _unseen_overwrites(graph: Polygraph, orders: Orders) -> Iterator[Conflict]:
    """Transactions that overwrote another one's version, and so see it, but read what that one overwrote."""
    at = [{writer: position for position, writer in enumerate(order)} for order in orders]
    keys_of: dict[int, list[int]] = defaultdict(list)
    for key, order in enumerate(orders):
        for writer in order:
            keys_of[writer].append(key)
    for read in graph.reads:
        since = at[read.key][read.source] + 1 if read.source != INITIAL else 0
        for other in orders[read.key][since:]:
            if other == read.reader:
                continue
            for key in keys_of.get(read.reader, ()):
                if other in at[key] and at[key][other] < at[key][read.reader]:
                    chosen = [(key, other, read.reader)]
                    if read.source != INITIAL:
                        chosen.append((read.key, read.source, other))
                    members = {other, read.reader, read.source} - {INITIAL}
                    yield Conflict(tuple(sorted(set(chosen))), frozenset(members))
