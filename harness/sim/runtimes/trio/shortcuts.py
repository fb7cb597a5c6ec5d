"""Parts of Trio that cost more than they do, and shorter ones that stand in for them while a world runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
import trio._core._run as _run
import trio._highlevel_socket as _highlevel_socket
import trio._timeouts as _timeouts

from ostrakon.harness.sim.runtimes.trio import scopes

_RUN: Any = _run
_translating: Any = _highlevel_socket._translate_socket_errors_to_stream_errors
"""Turns the errors of sockets into those of streams; takes longer to make than to send some bytes."""
_trios_send_all: Any = trio.SocketStream.send_all


async def _send_all(stream: trio.SocketStream, data: Any) -> None:
    """`SocketStream.send_all`."""
    sock, turn = stream.socket, stream._send_conflict_detector
    if type(data) is not bytes or not data or turn._held or sock.did_shutdown_SHUT_WR:
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


async def _receive_some(stream: trio.SocketStream, max_bytes: int | None = None) -> bytes:
    """`SocketStream.receive_some`."""
    if max_bytes is None:
        max_bytes = _highlevel_socket.DEFAULT_RECEIVE_SIZE
    if max_bytes < 1:
        raise ValueError("max_bytes must be >= 1")
    try:
        return await stream.socket.recv(max_bytes)
    except OSError:
        with _translating():
            raise


SHORTCUTS: tuple[tuple[Any, str, Any], ...] = (
    (trio.SocketStream, "send_all", _send_all),
    (trio.SocketStream, "receive_some", _receive_some),
    (trio.CancelScope, "__enter__", scopes.enter),
    (trio.CancelScope, "_close", scopes.close),
    (trio.CancelScope, "_might_change_registered_deadline", lambda scope: scopes.Registration(scope)),
    (_RUN.CancelStatus, "__attrs_post_init__", scopes.begin),
    (trio.Nursery, "_child_finished", scopes.child_finished),
    (trio, "sleep_until", scopes.sleep_until),
    (_timeouts, "sleep_until", scopes.sleep_until),
)


@contextmanager
def shortcuts() -> Iterator[None]:
    """Run the body with the shorter ones in place."""
    usual = [(owner, name, vars(owner)[name]) for owner, name, _ in SHORTCUTS]
    for owner, name, shortcut in SHORTCUTS:
        setattr(owner, name, shortcut)
    try:
        yield
    finally:
        for owner, name, original in usual:
            setattr(owner, name, original)
