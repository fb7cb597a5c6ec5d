"""What there is to measure of a server, whatever it decides."""

from __future__ import annotations

from collections.abc import Iterator

from paxos_impl.door import Door
from paxos_impl.metrics import Sample
from paxos_impl.reception import Reception
from paxos_impl.server import Server


def samples_of(reception: Reception, server: Server | None) -> Iterator[Sample]:
    """All of it; as long as the cluster is not complete there is no server, and only the reception tells."""
    yield Sample("paxos_serving", "gauge", "Whether its cluster is complete.", server is not None)
    yield Sample("paxos_clients", "gauge", "Clients that are connected.", reception.clients)
    yield from _connections(reception.door)
    if server is not None:
        yield from _work(server)
        yield from _links(server)
        yield from server.samples()


def _connections(door: Door) -> Iterator[Sample]:
    yield Sample("paxos_connections", "gauge", "Connections that were made to it.", door.inside)
    for kind, count in sorted(door.closed.items()):
        about = "Connections that were closed, by the kind of reason."
        yield Sample("paxos_connections_closed_total", "counter", about, count, (("kind", kind),))


def _work(server: Server) -> Iterator[Sample]:
    (driver,) = server.drivers
    yield Sample("paxos_requests_total", "counter", "Requests of clients taken up.", driver.requests)
    yield Sample("paxos_events_total", "counter", "Events handled.", driver.handled)
    yield Sample("paxos_backlog", "gauge", "Events that wait to be handled.", driver.backlog)
    yield Sample("paxos_dropped_total", "counter", "Messages dropped for lack of time.", driver.dropped)
    yield Sample("paxos_syncs_total", "counter", "Syncs of its disk.", driver.syncs)
    yield Sample("paxos_sync_seconds_total", "counter", "How long those took.", driver.syncing_s)


def _links(server: Server) -> Iterator[Sample]:
    links = [((("peer", str(peer)),), link) for peer, link in sorted(server.links.items())]
    for labels, link in links:
        about = "Whether there is a connection to another member."
        yield Sample("paxos_link_connected", "gauge", about, link.is_connected, labels)
    for labels, link in links:
        yield Sample("paxos_link_queued", "gauge", "Messages that wait to be sent.", link.queued, labels)
    for labels, link in links:
        about = "Messages that were never sent, because newer ones took their place."
        yield Sample("paxos_link_dropped_total", "counter", about, link.dropped, labels)
