"""What there is to measure of a server, whatever it decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ostrakon.paxos_impl.door import Door
from ostrakon.paxos_impl.driver import Driver
from ostrakon.paxos_impl.metrics import Sample
from ostrakon.paxos_impl.reception import Reception

if TYPE_CHECKING:
    from ostrakon.paxos_impl.server import Server


def samples_of(reception: Reception, server: Server | None) -> Iterator[Sample]:
    """All of it; as long as the cluster is not complete there is no server, and only the reception tells."""
    yield Sample("paxos_serving", "gauge", "Whether its cluster is complete.", server is not None)
    yield Sample("paxos_clients", "gauge", "Clients that are connected.", reception.clients)
    yield from _answers(reception)
    yield from _connections(reception.door)
    if server is not None:
        yield from _work(server)
        yield from _links(server)
        yield from server.samples()


def _answers(reception: Reception) -> Iterator[Sample]:
    counts = sorted((kind.__name__.lower(), count) for kind, count in reception.answered.items())
    for kind, count in counts:
        yield Sample("paxos_answers_total", "counter", "Answers to clients.", count, (("kind", kind),))


def _connections(door: Door) -> Iterator[Sample]:
    yield Sample("paxos_connections", "gauge", "Connections that were made to it.", door.inside)
    for kind, count in sorted(door.closed.items()):
        about = "Connections that were closed, by the kind of reason."
        yield Sample("paxos_connections_closed_total", "counter", about, count, (("kind", kind),))


def _work(server: Server) -> Iterator[Sample]:
    yield from by_group([list(_work_of(driver)) for driver in server.drivers])


def _work_of(driver: Driver[Any, Any]) -> Iterator[Sample]:
    yield Sample("paxos_requests_total", "counter", "Requests of clients taken up.", driver.requests)
    yield Sample("paxos_events_total", "counter", "Events handled.", driver.handled)
    yield Sample("paxos_backlog", "gauge", "Events that wait to be handled.", driver.backlog)
    yield Sample("paxos_dropped_total", "counter", "Messages dropped for lack of time.", driver.dropped)


def by_group(groups: Sequence[Sequence[Sample]]) -> Iterator[Sample]:
    """The samples of each group, those of one name together; they tell their group if there are several."""
    if len(groups) == 1:
        yield from groups[0]
        return
    names = dict.fromkeys(sample.name for samples in groups for sample in samples)
    for name in names:
        for group, samples in enumerate(groups):
            for sample in samples:
                if sample.name == name:
                    yield sample._replace(labels=(("group", str(group)), *sample.labels))


def sync_samples(syncs: int, syncing_s: float) -> Iterator[Sample]:
    """What there is to measure of a server's disk."""
    yield Sample("paxos_syncs_total", "counter", "Syncs of its disk.", syncs)
    yield Sample("paxos_sync_seconds_total", "counter", "How long those took.", syncing_s)


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
