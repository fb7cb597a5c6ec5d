"""Metrics: what a server counts, as text that Prometheus reads, and the endpoint that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import trio

from ostrakon.paxos_impl.door import Door, listen_at
from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.remark import Remarks
from ostrakon.paxos_impl.transport import PLAIN

REQUEST_BYTES_MAX = 8192
REQUEST_S = 5.0
"""How long a request may be, and how long it may take to arrive."""


class Sample(NamedTuple):
    """One number, now."""

    name: str
    """What is measured, in the unit at its end; a `counter` only grows and ends in `_total`."""
    kind: Literal["counter", "gauge"]
    about: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
    """Tells samples of the same name apart."""


def rendered(samples: Iterable[Sample]) -> str:
    """The samples in Prometheus's text format; those of one name have to follow one another."""
    lines, last = list[str](), ""
    for name, kind, about, value, labels in samples:
        if name != last:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            last = name
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        lines.append(f"{name}{{{shown}}} {value:.12g}" if shown else f"{name} {value:.12g}")
    return "\n".join(lines) + "\n"


async def serve_metrics(
    listen: Address,
    samples: Callable[[], Iterable[Sample]],
    *,
    log: Remarks,
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
        nursery.start_soon(trio.serve_listeners, Door(receive, log, PLAIN).welcome, listeners)
        task_status.started(Address(listen.host, listeners[0].socket.getsockname()[1]))


async def _request_line(stream: trio.abc.Stream) -> bytes:
    """The first line of a request, once all of its head has come. Raises: BadFrame."""
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


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
