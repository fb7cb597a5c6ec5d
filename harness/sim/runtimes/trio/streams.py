"""Connections of Trio over simulated sockets: the same, in fewer steps where nothing special is the matter.

A simulated name has one address, so there is nothing for "happy eyeballs" to choose from: no nursery, no
task and no time-out for each attempt. Streams hand bytes to the simulated socket and take them from it
without the layers between that only matter where a call may be interrupted half-way.
"""

from __future__ import annotations

import socket
from typing import Any

import trio
import trio._core._run as _run
import trio._highlevel_generic as _highlevel_generic
import trio._highlevel_open_tcp_stream as _open
import trio._highlevel_socket as _highlevel_socket
import trio._socket as _socket
from trio._util import ConflictDetector

from ostrakon.harness.sim.runtimes.trio.waiting import (
    checkpoint,
    checkpoint_if_cancelled,
    let_others_run,
    others_may_run,
    park,
)

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_translating: Any = _highlevel_socket._translate_socket_errors_to_stream_errors
"""Turns the errors of sockets into those of streams; takes longer to make than to send some bytes."""
_trios_open: Any = trio.open_tcp_stream
_trios_init: Any = trio.SocketStream.__init__
_trios_send_all: Any = trio.SocketStream.send_all
_trios_receive_some: Any = trio.SocketStream.receive_some
_trios_aclose_forcefully: Any = _highlevel_generic.aclose_forcefully
_MOST = _highlevel_socket.DEFAULT_RECEIVE_SIZE


async def open_tcp_stream(
    host: str | bytes,
    port: int,
    *,
    happy_eyeballs_delay: float | None = _open.DEFAULT_DELAY,
    local_address: str | None = None,
) -> trio.SocketStream:
    """`trio.open_tcp_stream`."""
    settings = _CONTEXT.runner._locals
    resolver: Any = settings.get(_socket._resolver)
    look_up = getattr(resolver, "look_up", None)
    make = getattr(settings.get(_socket._socket_factory), "socket", None)
    if (
        look_up is None
        or "getaddrinfo" in vars(resolver)  # A fault of name resolution.
        or make is None
        or local_address is not None
        or not (type(host) is str and host.isascii() and type(port) is int)
    ):
        return await _trios_open(  # type: ignore[no-any-return]
            host, port, happy_eyeballs_delay=happy_eyeballs_delay, local_address=local_address
        )
    await checkpoint_if_cancelled()
    try:
        found = look_up(host, port)
    except OSError:
        await checkpoint()
        raise
    if len(found) != 1:
        return await _trios_open(host, port, happy_eyeballs_delay=happy_eyeballs_delay)  # type: ignore[no-any-return]
    family, kind, protocol, _, address = found[0]
    sock = make(family, kind, protocol)
    try:
        await sock.connect(address)
    except OSError as error:
        sock.close()
        message = f"all attempts to connect to {_open.format_host_port(host, port)} failed"
        raise OSError(message) from ExceptionGroup(message, [error])
    except trio.Cancelled as error:
        # Trio's attempts are tasks of a nursery, which puts what they raise into a group.
        raise BaseExceptionGroup("Exceptions from Trio nursery", [error]) from None
    return trio.SocketStream(sock)


def make_stream(stream: trio.SocketStream, sock: Any) -> None:
    """`SocketStream.__init__`."""
    set_options = getattr(sock, "set_stream_options", None)
    if set_options is None:
        _trios_init(stream, sock)
        return
    stream.socket = sock
    stream._send_conflict_detector = ConflictDetector(
        "another task is currently sending data on this SocketStream"
    )
    set_options(_STREAM_OPTIONS)


_STREAM_OPTIONS: dict[tuple[int, int], int] = {(socket.IPPROTO_TCP, socket.TCP_NODELAY): 1}
if hasattr(socket, "TCP_NOTSENT_LOWAT"):
    _STREAM_OPTIONS[socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT] = 2**14


async def send_all(stream: trio.SocketStream, data: Any) -> None:
    """`SocketStream.send_all`."""
    sock, turn = stream.socket, stream._send_conflict_detector
    if type(data) is not bytes or not data or turn._held:
        await _trios_send_all(stream, data)
        return
    task, send_whole = _CONTEXT.task, getattr(sock, "send_whole", None)
    if send_whole is not None and not task._cancel_status.effectively_cancelled and send_whole(data):
        runner = task._runner
        if others_may_run(runner.host, runner):
            turn._held = True
            try:
                await let_others_run()
            finally:
                turn._held = False
        return
    if sock.did_shutdown_SHUT_WR:
        await _trios_send_all(stream, data)
        return
    turn._held = True
    try:
        sent = await sock.send(data)
        while sent < len(data):
            sent += await sock.send(memoryview(data)[sent:])
    except OSError:
        with _translating():
            raise
    finally:
        turn._held = False


async def receive_some(stream: trio.SocketStream, max_bytes: int | None = None) -> bytes | bytearray:
    """`SocketStream.receive_some`."""
    if max_bytes is None:
        max_bytes = _MOST
    begin = getattr(stream.socket, "begin_to_receive", None)
    if begin is None or max_bytes < 1:
        return await _trios_receive_some(stream, max_bytes)  # type: ignore[no-any-return]
    try:
        trap = begin(max_bytes)
        if trap is None:
            return await stream.socket.recv(max_bytes)
        return stream.socket.received(await park(trap), max_bytes)  # type: ignore[attr-defined, no-any-return]
    except OSError:
        with _translating():
            raise


async def aclose_forcefully(resource: Any) -> None:
    """`trio.aclose_forcefully`."""
    if type(resource) is not trio.SocketStream:
        await _trios_aclose_forcefully(resource)
        return
    resource.socket.close()
    await checkpoint()
