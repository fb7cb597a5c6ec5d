"""etcd under the same load: three processes on this machine, which sync each write as they come.

It is asked through its HTTP gateway, which needs no gRPC here. A connection of HTTP/1.1 has one request under
way at a time, so that each session has one of its own.
"""

from __future__ import annotations

import base64
import json
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench._load import Load, key
from bench._town import free_port
from ostrakon.paxos_impl.wire.membership import Address

STARTED_WITHIN_S = 30.0
ANSWERED_WITHIN_S = 5.0
Asking = Callable[[int, int], bytes]
"""Makes a request, of the session's number and of how many it made before."""


def write(number: int, nth: int, size: int = 100) -> bytes:
    """A write of a value of so many bytes."""
    return _post("/v3/kv/put", {"key": _text(key(number, nth, size)), "value": _text("v" * size)})


def read(number: int, nth: int) -> bytes:
    """A linearizable read: etcd's leader asks a quorum first, once for all reads that come together."""
    return _post("/v3/kv/range", {"key": _text(key(number, nth))})


class Etcd:
    """Its processes."""

    def __init__(self, program: str, root: Path, size: int) -> None:
        self.addresses = [Address("127.0.0.1", free_port()) for _ in range(size)]
        self._peers = [free_port() for _ in range(size)]
        self._program, self._root = program, root
        self._running: dict[Address, subprocess.Popen[bytes]] = {}

    def start(self, address: Address) -> None:
        """Start one, for the first time or again."""
        n = self.addresses.index(address)
        names = ",".join(f"n{m}=http://127.0.0.1:{port}" for m, port in enumerate(self._peers))
        own, others = f"http://{address}", f"http://127.0.0.1:{self._peers[n]}"
        options = ["--name", f"n{n}", "--data-dir", str(self._root / f"etcd-{n}"), "--initial-cluster", names]
        options += ["--listen-client-urls", own, "--advertise-client-urls", own]
        options += ["--listen-peer-urls", others, "--initial-advertise-peer-urls", others]
        self._running[address] = subprocess.Popen(
            [self._program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self, address: Address) -> None:
        """Kill -9 one."""
        process = self._running.pop(address)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Kill all."""
        for address in list(self._running):
            self.kill(address)

    def leader(self) -> Address:
        """The leader, once there is one."""
        deadline = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < deadline:
            for address in self.addresses:
                with suppress(OSError, KeyError):
                    told = _asked(address, "/v3/maintenance/status")
                    if told["leader"] == told["header"]["member_id"]:
                        return address
            time.sleep(0.1)
        raise SystemExit(
            f"etcd has found no leader within {STARTED_WITHIN_S:g} s: is the program given etcd?"
        )

    def applied(self, address: Address) -> int:
        """The last entry of the log that it has applied. Raises: OSError, KeyError."""
        return int(_asked(address, "/v3/maintenance/status")["raftAppliedIndex"])

    def wait_same(self, address: Address) -> None:
        """Return when it has applied all that the leader has applied by now."""
        wanted = self.applied(self.leader())
        deadline = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < deadline:
            with suppress(OSError, KeyError):
                if self.applied(address) >= wanted:
                    return
            time.sleep(0.05)
        raise SystemExit(f"etcd at {address} has not caught up within {STARTED_WITHIN_S:g} s")


@contextmanager
def running(program: str, root: Path, size: int) -> Iterator[Etcd]:
    """Run a cluster."""
    etcd = Etcd(program, root, size)
    try:
        for address in etcd.addresses:
            etcd.start(address)
        etcd.leader()
        yield etcd
    finally:
        etcd.stop()


def put(address: Address, *, timeout_s: float) -> None:
    """Write something. Raises: OSError, AssertionError, if it does not work."""
    _asked(address, "/v3/kv/put", {"key": _text("gap"), "value": _text("x")}, timeout_s)


def load(leader: Address, asking: Asking, *, sessions: int, seconds: float) -> Load:
    """Have sessions do this for so long, each one thing after the other, as fast as they can."""
    done, begun = Load(lasted_s=seconds), time.monotonic()
    with selectors.DefaultSelector() as selector:
        everybody = [_Session(n, leader, asking) for n in range(sessions)]
        try:
            for session in everybody:
                selector.register(session.socket, selectors.EVENT_READ, session)
                session.ask()
            while (now := time.monotonic()) < begun + seconds:
                for key, _ in selector.select(timeout=begun + seconds - now):
                    session = key.data
                    if (took_s := session.hear()) is not None:
                        done.took_s.append(took_s)
                        session.ask()
        finally:
            for session in everybody:
                session.socket.close()
    return done


class _Session:
    """A connection with one request under way."""

    def __init__(self, number: int, address: Address, asking: Asking) -> None:
        self.socket = socket.create_connection(address, timeout=ANSWERED_WITHIN_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number, self._asking, self._nth = number, asking, 0
        self._heard, self._asked_s = b"", 0.0

    def ask(self) -> None:
        self._asked_s = time.monotonic()
        self.socket.sendall(self._asking(self._number, self._nth))
        self._nth += 1

    def hear(self) -> float | None:
        """How long the answer took; None if it is not all there yet."""
        chunk = self.socket.recv(1 << 16)
        assert chunk, "etcd has closed the connection"
        self._heard += chunk
        if _body(self._heard) is None:
            return None
        self._heard = b""
        return time.monotonic() - self._asked_s


def _asked(
    address: Address, path: str, asked: dict[str, str] | None = None, timeout_s: float = ANSWERED_WITHIN_S
) -> Any:
    with socket.create_connection(address, timeout=timeout_s) as connection:
        connection.sendall(_post(path, asked or {}))
        heard = b""
        while (body := _body(heard)) is None:
            if not (chunk := connection.recv(1 << 16)):
                raise ConnectionError("it closed the connection")
            heard += chunk
        return json.loads(body)


def _post(path: str, asked: dict[str, str]) -> bytes:
    body = json.dumps(asked).encode()
    return b"POST %s HTTP/1.1\r\nHost: etcd\r\nContent-Length: %d\r\n\r\n%s" % (
        path.encode(),
        len(body),
        body,
    )


def _body(response: bytes) -> bytes | None:
    """The body of a response; None if it is not all there yet."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    _, found, length = fields.lower().partition(b"content-length: ")
    if not found or len(body) < int(length.split(b"\r\n")[0]):
        return None
    assert b" 200 " in status + b" ", response
    return body


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
