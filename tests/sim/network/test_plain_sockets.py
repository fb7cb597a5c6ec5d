"""Sockets of the standard library that a program gets ready for Trio."""

from __future__ import annotations

import errno
import socket

import pytest
import trio

from ostrakon.harness.sim import NotSimulated, World
from tests.sim.toy import PORT, run_one


def prepared(port: int = PORT) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("0.0.0.0", port))
    sock.setblocking(False)
    sock.listen()
    return sock


def test_a_listener_made_ready_by_hand_serves_trio() -> None:
    async def program(world: World) -> None:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(prepared()))
        async with await trio.open_tcp_stream("127.0.0.1", PORT) as here, await listener.accept() as there:
            await there.send_all(b"hello")
            assert await here.receive_some() == b"hello"

    run_one(program)


def test_it_is_a_socket_with_the_address_it_has_taken() -> None:
    async def program(world: World) -> None:
        with prepared(0) as sock, socket.socket(type=socket.SOCK_DGRAM) as other:
            assert isinstance(sock, socket.socket)
            assert (sock.family, sock.type, sock.proto) == (socket.AF_INET, socket.SOCK_STREAM, 0)
            assert sock.getsockname()[1] > 1024
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
            assert other.type == socket.SOCK_DGRAM
        assert sock.fileno() == -1

    run_one(program)


def test_an_address_is_taken_once_and_free_again_when_its_process_has_died() -> None:
    async def listens() -> None:
        prepared()
        await trio.sleep_forever()

    async def listens_twice() -> None:
        prepared()
        with pytest.raises(OSError, match="in use") as refusal:
            prepared()
        assert refusal.value.errno == errno.EADDRINUSE

    with World(1) as world:
        machine = world.machine("a")
        machine.start(listens)
        world.run(until_s=1)
        machine.kill()
        process = machine.start(listens_twice)
        world.run()
        assert process.error is None


def test_datagram_sockets_do_not_listen() -> None:
    async def program(world: World) -> None:
        with pytest.raises(OSError, match="not supported"):
            socket.socket(type=socket.SOCK_DGRAM).listen()

    run_one(program)


def test_a_datagram_socket_made_ready_by_hand_receives() -> None:
    async def program(world: World) -> None:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", PORT))
        receiver = trio.socket.from_stdlib_socket(sock)
        await trio.socket.socket(type=socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", PORT))
        assert (await receiver.recvfrom(100))[0] == b"hello"

    run_one(program)


def test_what_could_block_the_whole_world_is_refused() -> None:
    async def program(world: World) -> None:
        with pytest.raises(NotSimulated, match=r"socket\.accept\(\) would block \(called by alone#0\)"):
            prepared(0).accept()
        with pytest.raises(NotSimulated, match=r"socket\.connect\(\) would block \(called by alone#0\)"):
            socket.socket().connect(("alone", 4000))


def test_a_socket_that_is_not_to_block_says_that_it_would() -> None:
    async def program(world: World) -> None:
        listener, client = prepared(4000), socket.socket()
        listener.setblocking(False)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with pytest.raises(BlockingIOError):
            client.connect(("alone", 4000))
        await trio.sleep(1)
        server, _ = listener.accept()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.recv(10)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        client.sendall(b"hello")
        await trio.sleep(1)
        assert server.recv(3) == b"hel"
        assert server.recv(3) == b"lo"

    run_one(program)


def test_sockets_outside_of_the_simulation_are_real() -> None:
    outside = socket.socket()

    async def program(world: World) -> None:
        with pytest.raises(NotSimulated, match="is a real socket"):
            trio.socket.from_stdlib_socket(outside)

    run_one(program)
    with outside, socket.socket() as after:
        assert type(after) is socket.socket
        assert min(outside.fileno(), after.fileno()) >= 0
