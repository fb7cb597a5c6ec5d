"""Every consistency model by its definition, decided by trying all orders of commits, versions and
visibility.

Cerone, Bernardi and Gotsman (CONCUR 2015) define levels by two relations: an arbitration, a total order of
commits, and a visibility within it. Their axioms are tried on all arbitrations and all visibilities. Adya's
levels (1999), and Bailis's monotonic atomic view, are cycles of dependencies, tried on all orders of
versions. It is slow, knows nothing of how the checkers decide, and is meant for a handful of transactions
that read before they write."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

INITIAL = -1
Pairs = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Tiny:
    """A transaction: the versions it read, in order, and the keys it wrote then."""

    reads: tuple[tuple[str, int], ...] = ()
    """Key and writer; INITIAL for the version that nobody wrote."""
    writes: tuple[str, ...] = ()
    process: int = -1
    """Transactions of one process run in order; -1 is a process of its own."""
    invoked: int = 0
    completed: int = 1 << 30


History = Sequence[Tiny]


def sessions(history: History) -> Pairs:
    return frozenset(
        (one, other)
        for one, other in realtime(history)
        if history[one].process == history[other].process != -1
    )


def realtime(history: History) -> Pairs:
    members = range(len(history))
    return frozenset((a, b) for a in members for b in members if history[a].completed < history[b].invoked)


def satisfied(history: History, chains: Mapping[str, Sequence[int]] | None = None) -> set[str]:
    """The names of all models that the history satisfies.

    `chains` tells of keys in which order their first versions were installed; any others came after these.
    """
    known = _known(history, chains or {})
    so, rt, none = sessions(history), realtime(history), Pairs()
    models = {
        "read-uncommitted": _is_acyclic(none | known),
        "read-committed": _adya(history, none | known, _never),
        "monotonic-atomic-view": _adya(history, none | known, _vanishes),
        "cursor-stability": _adya(history, none | known, _loses_cursor),
        "consistent-view": _adya(history, none | known, _is_single),
        "read-atomic": _cerone(history, none, known, ""),
        "update-atomic": _cerone(history, none, known, "n"),
        "causal-cerone": _cerone(history, none, known, "t"),
        "parallel-snapshot-isolation": _cerone(history, none, known, "tn"),
        "prefix": _cerone(history, none, known, "p"),
        "snapshot-isolation": _cerone(history, none, known, "pn"),
        "serializable": _cerone(history, none, known, "v"),
        "strong-session-read-uncommitted": _is_acyclic(so | known),
        "strong-session-read-committed": _adya(history, so | known, _never),
        "strong-session-monotonic-atomic-view": _adya(history, so | known, _vanishes),
        "strong-session-read-atomic": _cerone(history, so, known, ""),
        "causal": _cerone(history, so, known, "t"),
        "strong-session-prefix": _cerone(history, so, known, "p"),
        "strong-session-snapshot-isolation": _cerone(history, so, known, "pn"),
        "strong-session-serializable": _cerone(history, so, known, "v"),
        "strong-read-uncommitted": _is_acyclic(rt | known),
        "strong-read-committed": _adya(history, rt | known, _never),
        "strong-snapshot-isolation": _cerone(history, rt, known, "pn"),
        "strict-serializable": _cerone(history, rt, known, "v"),
    }
    models["repeatable-read"] = models["serializable"]
    return {model for model, holds in models.items() if holds}


def _known(history: History, chains: Mapping[str, Sequence[int]]) -> Pairs:
    pairs: set[tuple[int, int]] = set()
    for key, chain in chains.items():
        rest = [member for member, one in enumerate(history) if key in one.writes and member not in chain]
        pairs.update(itertools.combinations(chain, 2))
        pairs.update((before, after) for before in chain for after in rest)
    return frozenset(pairs)


def _is_acyclic(pairs: Pairs) -> bool:
    return not any(one == other for one, other in _closed(set(pairs)))


def _cerone(history: History, order: Pairs, known: Pairs, axioms: str) -> bool:
    """Whether some arbitration and visibility satisfy EXT, contain the order, and satisfy these axioms.

    What is known of the order of versions is in the arbitration.

    n: NOCONFLICT, of two writers of a key one sees the other. t: TRANSVIS, visibility is transitive.
    p: PREFIX, what comes before something visible is visible. v: TOTALVIS, everything before is visible.
    """
    members = range(len(history))
    for arbitration in itertools.permutations(members):
        place = {member: at for at, member in enumerate(arbitration)}
        if any(place[one] > place[other] for one, other in order | known):
            continue
        choices = []
        for member in members:
            must = {one for one, other in order if other == member}
            if "n" in axioms:
                must |= {
                    other
                    for other in members
                    if place[other] < place[member]
                    and set(history[other].writes) & set(history[member].writes)
                }
            before = arbitration[: place[member]]
            fitting = [
                seen
                for seen in _visible_sets(before, axioms)
                if must <= seen and _reads_latest(history, member, seen, place)
            ]
            choices.append(fitting)
        if "t" not in axioms:
            if all(choices):
                return True
        elif any(_is_transitive(seen) for seen in itertools.product(*choices)):
            return True
    return False


def _visible_sets(before: Sequence[int], axioms: str) -> Iterator[frozenset[int]]:
    if "v" in axioms:
        yield frozenset(before)
    elif "p" in axioms:
        for length in range(len(before) + 1):
            yield frozenset(before[:length])
    else:
        for length in range(len(before) + 1):
            yield from map(frozenset, itertools.combinations(before, length))


def _reads_latest(history: History, member: int, seen: frozenset[int], place: dict[int, int]) -> bool:
    """EXT: every read finds the latest visible version."""
    for key, source in history[member].reads:
        writers = [other for other in seen if key in history[other].writes]
        if max(writers, key=place.__getitem__, default=INITIAL) != source:
            return False
    return True


def _is_transitive(seen: tuple[frozenset[int], ...]) -> bool:
    return all(seen[other] <= seen[member] for member in range(len(seen)) for other in seen[member])


Forbidden = Callable[["_Graph"], bool]


@dataclass(frozen=True)
class _Graph:
    """Dependencies under one choice of orders of versions."""

    history: History
    place: dict[tuple[str, int], int]
    """The position of each version among those of its key; that of the initial one is -1."""
    flow: Pairs
    """Write and read dependencies, and the order of time, closed transitively."""

    def newer(self, key: str, source: int) -> Iterator[int]:
        """The writers of newer versions."""
        for (its_key, writer), at in self.place.items():
            if its_key == key and at > self.place[key, source]:
                yield writer


def _adya(history: History, order: Pairs, forbidden: Forbidden) -> bool:
    """Whether some orders of versions have no cycle of dependencies, and nothing that is forbidden."""
    keys = sorted(
        {key for one in history for key in one.writes} | {k for one in history for k, _ in one.reads}
    )
    writers = [[member for member, one in enumerate(history) if key in one.writes] for key in keys]
    for orders in itertools.product(*(itertools.permutations(of_key) for of_key in writers)):
        place = {(key, INITIAL): -1 for key in keys}
        edges = set(order)
        for key, versions in zip(keys, orders, strict=True):
            place.update({(key, writer): at for at, writer in enumerate(versions)})
            edges.update(itertools.combinations(versions, 2))
        for member, one in enumerate(history):
            edges.update((source, member) for _, source in one.reads if source != INITIAL)
        flow = _closed(edges)
        if any(one == other for one, other in flow):
            continue
        if not forbidden(_Graph(history, place, flow)):
            return True
    return False


def _closed(edges: set[tuple[int, int]]) -> Pairs:
    closed = set(edges)
    while True:
        more = {(a, d) for a, b in closed for c, d in closed if b == c} - closed
        if not more:
            return frozenset(closed)
        closed |= more


def _never(graph: _Graph) -> bool:
    return False


def _vanishes(graph: _Graph) -> bool:
    """OTV: a transaction reads from another, and then a version older than what that one wrote."""
    for one in graph.history:
        for at, (key, source) in enumerate(one.reads):
            earlier = {other for _, other in one.reads[:at]}
            if any(writer in earlier for writer in graph.newer(key, source)):
                return True
    return False


def _loses_cursor(graph: _Graph) -> bool:
    """G-cursor: somebody writes between a transaction's read of a key and its write of it."""
    for member, one in enumerate(graph.history):
        for key, source in one.reads:
            if key in one.writes:
                own = graph.place[key, member]
                if any(graph.place[key, writer] < own for writer in graph.newer(key, source)):
                    return True
    return False


def _is_single(graph: _Graph) -> bool:
    """G-single: a cycle with exactly one anti-dependency."""
    return any(
        (writer, member) in graph.flow
        for member, one in enumerate(graph.history)
        for key, source in one.reads
        for writer in graph.newer(key, source)
    )
