"""A slot's decision as graphs: who voted for what, which proposal came from which, what happened before what.

A proposal is a vertex `(ballot, value)`, with the value in canonical form; an acceptor is its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ostrakon.checkers.consensus.seen import Ballot, Seen, reported
from ostrakon.checkers.value import Key, canonical
from ostrakon.harness.history import Event

if TYPE_CHECKING:
    import networkx as nx

ProposalVertex = tuple[Ballot, Key]


def votes(seen: Seen, slot: int) -> nx.Graph[Any]:
    """The bipartite graph acceptor -- proposal, with an edge for each vote.

    A value is chosen if the neighbours of one of its proposals hold a quorum; two quorums intersect in the
    common neighbours of their proposals.
    """
    import networkx as nx

    graph: nx.Graph[Any] = nx.Graph()
    for vertex, proposal in seen.slot(slot).proposals.items():
        graph.add_node(vertex, kind="proposal")
        for acceptor, event in proposal.votes.items():
            graph.add_node(acceptor, kind="acceptor")
            graph.add_edge(acceptor, vertex, event=event)
    return graph


def derivation(seen: Seen, slot: int) -> nx.DiGraph[Any]:
    """The graph with an edge (b', v') -> (b, v) where a promise of b reported the vote (b', v').

    The theorem of Paxos in this graph: every proposal above a chosen one descends from it and has its value.
    """
    import networkx as nx

    graph: nx.DiGraph[Any] = nx.DiGraph()
    proposals = seen.slot(slot).proposals
    graph.add_nodes_from(proposals)
    for ballot, key in proposals:
        for promise in seen.promises(ballot):
            if (report := reported(promise, slot)) is None:
                continue
            _, at, value = report
            # A promise given again, after the vote at its own ballot, reports that very vote.
            if at < ballot and (at, canonical(value)) in proposals:
                graph.add_edge((at, canonical(value)), (ballot, key), event=promise)
    return graph


def happens_before(trace: Sequence[Event], among: Iterable[int]) -> nx.DiGraph[int]:
    """Lamport's happens-before between the events at these positions, less what follows from the rest.

    Events are ordered by being of one node, and by a message: what a message caused comes after its sending.
    The trace is in the order of true time; each event is gone through once, with a bit for each of `among`.
    """
    import networkx as nx

    wanted = sorted(among)
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(wanted)
    if not wanted:
        return graph
    bit = {position: 1 << number for number, position in enumerate(wanted)}
    known_at: dict[str, int] = {}
    known_by_message: dict[str, int] = {}
    for position in range(wanted[0], wanted[-1] + 1):
        event = trace[position]
        past = known_at.get(event.node, 0)
        if event.cause is not None:
            past |= known_by_message.get(event.cause, 0)
        if position in bit:
            graph.add_edges_from(
                (other, position) for number, other in enumerate(wanted) if past >> number & 1
            )
            past |= bit[position]
        known_at[event.node] = past
        if event.message is not None:
            known_by_message[event.message] = known_by_message.get(event.message, 0) | past
    return nx.transitive_reduction(graph)
