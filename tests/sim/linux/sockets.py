"""Programs that look at sockets: errors, addresses and what the other side sees."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from typing import Any

import trio

from tests.sim.linux.observe import Observer

HOST = "127.0.0.1"
Socket = Any


def tcp() -> Socket:
    return trio.socket.socket()


def udp() -> Socket:
    return trio.socket.socket(type=socket.SOCK_DGRAM)


def unix(kind: int = socket.SOCK_STREAM) -> Socket:
    return trio.socket.socket(socket.AF_UNIX, kind)


async def listening(backlog: int = 5) -> Socket:
    listener = tcp()
    await listener.bind((HOST, 0))
    listener.listen(backlog)
    return listener


async def pair() -> tuple[Socket, Socket]:
    listener, client = await listening(), tcp()
    await client.connect(listener.getsockname())
    server, _ = await listener.accept()
    listener.close()
    return client, server


async def free_port() -> tuple[str, int]:
    listener = await listening()
    address: tuple[str, int] = listener.getsockname()
    listener.close()
    return address


async def how(call: Any, *args: Any) -> Any:
    """The name of the error, or the result."""
    try:
        result = call(*args)
        return await result if hasattr(result, "__await__") else result
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


async def closing(o: Observer) -> None:
    client, server = await pair()
    server.close()
    await trio.sleep(0.05)
    for number in range(3):
        await o.see(f"send {number} to a closed peer", client.send, b"x")
        await trio.sleep(0.05)
    await o.see("what is read then", client.recv, 10)
    client, server = await pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    await trio.sleep(0.05)
    await o.see("a close that lingers not", client.recv, 10)
    client, server = await pair()
    await client.send(b"unread")
    await trio.sleep(0.05)
    server.close()
    await trio.sleep(0.05)
    await o.see("a close with something unread", client.recv, 10)
    await o.see("the peer's name then", client.getpeername)
    client.close()
    for name in ("getsockname", "getpeername", "fileno"):
        await o.see(f"{name} of a closed one", getattr(client, name))
    await o.see("option of a closed one", client.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE)
    client, server = await pair()
    await client.send(b"q")
    client.shutdown(socket.SHUT_WR)
    await o.see("half closed", server.recv, 10)
    await trio.sleep(0.05)
    await o.see("its end", server.recv, 10)
    await server.send(b"answer")
    server.close()
    await o.see("the answer", client.recv, 10)


async def connecting(o: Observer) -> None:
    address, again = await free_port(), tcp()
    await o.see("refused", how, again.connect, address)
    await o.see("a second time", how, again.connect, address)
    listener = tcp()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    await listener.bind(address)
    listener.listen(1)
    await o.see("a third, with someone there", how, again.connect, address)
    cancelled = tcp()
    with trio.CancelScope() as scope:
        scope.cancel()
        await cancelled.connect(address)
    await o.see("cancelled", lambda: (scope.cancelled_caught, cancelled.fileno()))
    itself = tcp()
    await itself.bind((HOST, 0))
    await itself.connect(itself.getsockname())
    await itself.send(b"me")
    await o.see("to itself", itself.recv, 10)
    await o.see("by another loopback address", how, tcp().connect, ("127.0.0.2", address[1]))
    full = await listening(1)
    clients = [tcp() for _ in range(4)]
    for number, client in enumerate(clients):
        await o.see(f"connection {number} to a backlog of one", client.connect, full.getsockname())
    early, listener = tcp(), await listening()
    await early.connect(listener.getsockname())
    await early.send(b"early")
    early.close()
    await trio.sleep(0.05)
    accepted, _ = await listener.accept()
    await o.see("what came before it was accepted", accepted.recv, 10)


async def binding(o: Observer) -> None:
    one = await listening()
    address = one.getsockname()
    await o.see("bound already", how, tcp().bind, address)
    await o.see("bound already for all", how, tcp().bind, ("0.0.0.0", address[1]))
    await o.see("another loopback address", how, tcp().bind, ("127.0.0.2", address[1]))
    await o.see("alien", how, tcp().bind, ("192.0.2.1", 1))
    await o.see("twice", how, one.bind, (HOST, 0))
    sharing = [tcp(), tcp()]
    for sock in sharing:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    await sharing[0].bind((HOST, 0))
    await o.see("shared", how, sharing[1].bind, sharing[0].getsockname())
    await o.see("both listen", lambda: [sock.listen(1) for sock in sharing])
    for option in (0, 1):
        listener = tcp()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, option)
        await listener.bind((HOST, 0))
        listener.listen(1)
        address, client = listener.getsockname(), tcp()
        await client.connect(address)
        server, _ = await listener.accept()
        server.close()
        await trio.sleep(0.05)
        client.close()
        listener.close()
        await trio.sleep(0.05)
        for again in (0, 1):
            new = tcp()
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, again)
            await o.see(f"in TIME_WAIT, {option} then {again}", how, new.bind, address)
            new.close()


async def messages(o: Observer) -> None:
    client, server = await pair()
    await o.see("no bytes sent", client.send, b"")
    await o.see("no bytes wanted", client.recv, 0)
    await o.see("fewer than none", client.recv, -1)
    await o.see("text", client.send, "x")
    await o.see("several buffers", client.sendmsg, [b"a", b"b"])
    await trio.sleep(0.05)
    await o.see("peek", server.recv, 1, socket.MSG_PEEK)
    await o.see("message", server.recvmsg, 10)
    await o.see("sendto", client.sendto, b"c", (HOST, 1))
    await o.see("recvfrom", server.recvfrom, 10)
    await o.see("listen on a connection", how, server.listen, 1)
    await o.see("accept on a connection", how, server.accept)
    for label, level, name, size in (
        ("type", socket.SOL_SOCKET, socket.SO_TYPE, 0),
        ("linger", socket.SOL_SOCKET, socket.SO_LINGER, 8),
        ("accepting", socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 0),
        ("idle", socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0),
        ("no such", socket.SOL_SOCKET, 9999, 0),
    ):
        await o.see(f"option {label}", how, client.getsockopt, level, name, size)
    info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    await o.see("information", lambda: (len(info), info[0]))
    await o.see("buffer", lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > 0)
    await o.see("protocol", lambda: client.proto)
    await o.see("numbers differ", lambda: client.fileno() != server.fileno())


async def datagrams(o: Observer) -> None:
    nobody = udp()
    await nobody.bind((HOST, 0))
    address = nobody.getsockname()
    nobody.close()
    connected = udp()
    await connected.connect(address)
    await o.see("to a dead port", connected.send, b"x")
    await trio.sleep(0.05)
    await o.see("receiving from there", connected.recv, 10)
    await o.see("again", connected.send, b"x")
    await trio.sleep(0.05)
    await o.see("once more", connected.send, b"x")
    free = udp()
    await o.see("unconnected to a dead port", lambda: free.sendto(b"x", address))
    await trio.sleep(0.05)
    await o.see("hears nothing", free.recv, 10)
    receiver, sender = udp(), udp()
    await receiver.bind((HOST, 0))
    await sender.bind((HOST, 0))
    for data in (b"0123456789", b"", b"next"):
        await sender.sendto(data, receiver.getsockname())
    await trio.sleep(0.05)
    await o.see("peek", receiver.recv, 10, socket.MSG_PEEK)
    await o.see("cut off", receiver.recv, 4)
    await o.see("empty", receiver.recv, 4)
    await o.see("next", receiver.recv, 4)
    picky = udp()
    await picky.bind((HOST, 0))
    await picky.connect(receiver.getsockname())
    await sender.sendto(b"stray", picky.getsockname())
    await o.see("from a stranger", picky.recv, 10)
    await o.see("too long", how, sender.sendto, b"x" * 70_000, receiver.getsockname())
    await o.see("to no port", how, sender.sendto, b"x", (HOST, 0))
    await o.see("to all", how, sender.sendto, b"x", ("255.255.255.255", 9))
    await o.see("to nobody in particular", how, sender.send, b"x")
    await o.see("listen", how, sender.listen, 1)
    await o.see("bound already", how, udp().bind, receiver.getsockname())
    await o.see("several buffers", sender.sendmsg, [b"a", b"b"], [], 0, receiver.getsockname())
    await o.see("together", receiver.recv, 10)


async def unix_sockets(o: Observer) -> None:
    path, listener = o.path("s"), unix()
    await listener.bind(path)
    await o.see("nobody listens", how, unix().connect, path)
    listener.listen(1)
    await o.see("it is a file", lambda: stat.S_ISSOCK(os.stat(path).st_mode))
    await o.see("it is no file to open", how, open, path)
    await o.see("bound already", how, unix().bind, path)
    client = unix()
    await client.connect(path)
    server, peer = await listener.accept()
    told = peer, client.getpeername(), client.getsockname(), server.getsockname()
    await o.see("names", lambda: told)
    listener.close()
    await o.see("the file stays", os.path.exists, path)
    await o.see("a stale one refuses", how, unix().connect, path)
    await o.see("a stale one is in the way", how, unix().bind, path)
    os.unlink(path)
    await o.see("without it", how, unix().connect, path)
    await o.see("made anew", how, unix().bind, path)
    await client.send(b"goes on")
    await o.see("a connection does not need the file", server.recv, 10)
    await o.see("in no directory", how, unix().bind, o.path("missing/s"))
    await o.see("too long", how, unix().bind, o.path("x" * 200))
    receiver, sender = unix(socket.SOCK_DGRAM), unix(socket.SOCK_DGRAM)
    await receiver.bind(o.path("d"))
    await o.see("datagram", sender.sendto, b"hi", o.path("d"))
    await o.see("received", receiver.recvfrom, 10)
    await o.see("datagram to nobody", how, sender.sendto, b"hi", o.path("missing"))
    abstract = unix()
    await abstract.bind("\0name")
    await o.see("abstract name", abstract.getsockname)
    await o.see("abstract name in use", how, unix().bind, "\0name")
    os.chmod(path, 0o600)
    await o.see("permissions", lambda: oct(os.stat(path).st_mode))


SOL, TCP, IP = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP


async def values_of_options(o: Observer) -> None:
    stream, datagram, local = tcp(), udp(), unix()
    for name in ("SO_RCVLOWAT", "SO_SNDLOWAT", "SO_KEEPALIVE", "SO_OOBINLINE", "SO_DONTROUTE", "SO_PRIORITY"):
        await o.see(name, stream.getsockopt, SOL, getattr(socket, name))
    for name in ("TCP_KEEPIDLE", "TCP_LINGER2", "TCP_SYNCNT", "TCP_CORK", "TCP_QUICKACK", "TCP_USER_TIMEOUT"):
        await o.see(name, stream.getsockopt, TCP, getattr(socket, name))
    for level, option in ((SOL, socket.SO_REUSEADDR), (SOL, socket.SO_KEEPALIVE), (TCP, socket.TCP_NODELAY)):
        stream.setsockopt(level, option, 7)
        await o.see(f"switched on {level} {option}", stream.getsockopt, level, option)
    await o.see("no time to wait before keep-alives", stream.setsockopt, TCP, socket.TCP_KEEPIDLE, 0)
    await o.see("no hops", stream.setsockopt, IP, socket.IP_TTL, 0)
    await o.see("set what can only be asked", stream.setsockopt, SOL, socket.SO_TYPE, 1)
    await o.see("linger without a time", stream.setsockopt, SOL, socket.SO_LINGER, 1)
    await o.see("ask at a level that there is not", stream.getsockopt, 9999, 1)
    await o.see("set at a level that there is not", stream.setsockopt, 9999, 1, 1)
    await o.see("an option that there is not", stream.getsockopt, SOL, 9999)
    await o.see("set one of TCP for UDP", datagram.setsockopt, TCP, socket.TCP_NODELAY, 1)
    await o.see("ask one of TCP of UDP", datagram.getsockopt, TCP, socket.TCP_NODELAY)
    await o.see("set one of TCP for UNIX", local.setsockopt, TCP, socket.TCP_NODELAY, 1)
    await o.see("buffer of a UNIX socket", local.getsockopt, SOL, socket.SO_SNDBUF)


async def states(o: Observer) -> None:
    """Calls in states that they are not meant for."""
    fresh, refused, listener = tcp(), tcp(), await listening()
    await o.see("send before connecting", fresh.send, b"x")
    await o.see("receive before connecting", fresh.recv, 1)
    await o.see("send before connecting, UNIX", unix().send, b"x")
    await o.see("refused", _refused, refused)
    await o.see("send after a refusal", refused.send, b"x")
    await o.see("receive after a refusal", refused.recv, 1)
    await o.see("connect a listener", listener.connect, (HOST, 9))
    await o.see("send on a listener", listener.send, b"x")
    await o.see("shut the sending side of a listener", listener.shutdown, socket.SHUT_WR)
    await o.see("shut a listener", listener.shutdown, socket.SHUT_RDWR)
    await o.see("accept after that", listener.accept)
    here, there = await pair()
    here.shutdown(socket.SHUT_WR)
    here.shutdown(socket.SHUT_RD)
    await o.see("shut once more, while the peer has not", here.shutdown, socket.SHUT_WR)
    await o.see("the peer hears of it", there.recv, 1)
    await o.see("a port that there is not", tcp().bind, (HOST, 70_000))


async def _refused(sock: Socket) -> None:
    try:
        await sock.connect((HOST, 1))
    except OSError as error:
        raise OSError(error.errno, "") from None


CASES = [
    *(closing, connecting, binding, messages, datagrams, unix_sockets),
    *(values_of_options, states),
]
