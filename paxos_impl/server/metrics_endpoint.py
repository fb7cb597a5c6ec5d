"""The samples of a whole server, and the HTTP endpoint that serves them."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from ostrakon.paxos_impl.server.dispatcher import Dispatcher
from ostrakon.paxos_impl.server.driver import Driver
from ostrakon.paxos_impl.server.listener import Listener, listen_at
from ostrakon.paxos_impl.server.log_record import LogSink
from ostrakon.paxos_impl.server.metrics import Sample, by_group, rendered
from ostrakon.paxos_impl.server.server import Server
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN

REQUEST_BYTES_MAX = 8192
REQUEST_S = 5.0
"""Maximum length of an HTTP request, in bytes, and the time it has to arrive, in seconds."""


async def serve_metrics(
    listen: Address,
    samples: Callable[[], Iterable[Sample]],
    *,
    log: LogSink,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer `GET /metrics` over HTTP until cancelled.

    Raises: OSError, when it can't listen.
    """

    async def receive(stream: trio.abc.Stream) -> None:
        with trio.move_on_after(REQUEST_S):
            await stream.send_all(_response(await _request_line(stream), samples))

    listeners = await listen_at(listen)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, Listener(receive, log, PLAIN).serve_connection, listeners)
        task_status.started(Address(listen.host, listeners[0].socket.getsockname()[1]))


def server_samples(dispatcher: Dispatcher, server: Server | None) -> Iterator[Sample]:
    """All samples; `server` is None until the cluster is complete."""
    yield Sample("paxos_serving", "gauge", "Whether its cluster is complete.", server is not None)
    yield Sample("paxos_clients", "gauge", "Connected clients.", dispatcher.clients)
    yield from _process()
    yield from _answers(dispatcher)
    yield from _connections(dispatcher.listener)
    if server is not None:
        yield from by_group([list(_requests(driver)) for driver in server.drivers])
        yield from _links(server)
        yield from server.samples()


def _process() -> Iterator[Sample]:
    """The figures of this process, by Prometheus's names."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    about = "Time that its threads have used."
    yield Sample("process_cpu_seconds_total", "counter", about, usage.ru_utime + usage.ru_stime)
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        about = "Memory that it holds."
        yield Sample("process_resident_memory_bytes", "gauge", about, pages * resource.getpagesize())
        yield Sample("process_open_fds", "gauge", "Open files.", len(os.listdir("/proc/self/fd")))


def _answers(dispatcher: Dispatcher) -> Iterator[Sample]:
    counts = sorted((kind.__name__.lower(), count) for kind, count in dispatcher.usage.answered.items())
    for kind, count in counts:
        yield Sample("paxos_answers_total", "counter", "Answers to clients.", count, (("kind", kind),))
    about = "Time from a request to its answer, by the kind of request."
    for kind, latencies in sorted(dispatcher.usage.latencies.items()):
        yield from latencies.samples("paxos_request_seconds", about, (("kind", kind),))
    about = "Answers replaced by a refusal because they could not be sent."
    yield Sample("paxos_unsendable_answers_total", "counter", about, dispatcher.usage.unsendable)
    about = "Length of all answers that clients have not read."
    yield Sample("paxos_unread_answer_bytes", "gauge", about, dispatcher.usage.unread_bytes)


def _connections(listener: Listener) -> Iterator[Sample]:
    yield Sample("paxos_connections", "gauge", "Open incoming connections.", listener.open_connections)
    for kind, count in sorted(listener.closed.items()):
        about = "Closed incoming connections, by the kind of reason."
        yield Sample("paxos_connections_closed_total", "counter", about, count, (("kind", kind),))


def _requests(driver: Driver[Any, Any]) -> Iterator[Sample]:
    yield Sample("paxos_requests_total", "counter", "Submitted requests of clients.", driver.requests)
    yield Sample("paxos_events_total", "counter", "Handled events.", driver.handled)
    yield Sample("paxos_backlog", "gauge", "Events that wait to be handled.", driver.backlog)
    yield Sample("paxos_dropped_total", "counter", "Messages dropped for lack of time.", driver.dropped)


def _links(server: Server) -> Iterator[Sample]:
    links = [((("peer", str(peer)),), link) for peer, link in sorted(server.links.items())]
    for labels, link in links:
        about = "Whether there is a connection to another member."
        yield Sample("paxos_link_connected", "gauge", about, link.is_connected, labels)
    for labels, link in links:
        yield Sample("paxos_link_queued", "gauge", "Messages that wait to be sent.", link.queued, labels)
    for labels, link in links:
        about = "Messages dropped because newer ones took their place in the queue."
        yield Sample("paxos_link_dropped_total", "counter", about, link.dropped, labels)


async def _request_line(stream: trio.abc.Stream) -> bytes:
    """The first line of a request, once its whole head has arrived. Raises: BadFrame."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        if len(head) > REQUEST_BYTES_MAX or not (chunk := await stream.receive_some()):
            raise BadFrame("that is no HTTP request")
        head += chunk
    return head.splitlines()[0]


def _response(line: bytes, samples: Callable[[], Iterable[Sample]]) -> bytes:
    match line.split():
        case [b"GET", b"/metrics", *_]:
            status, body = "200 OK", rendered(samples())
        case [b"GET", *_]:
            status, body = "404 Not Found", "there is only /metrics here\n"
        case _:
            status, body = "405 Method Not Allowed", "there is only GET /metrics here\n"
    data = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + data
