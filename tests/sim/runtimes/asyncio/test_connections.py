from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from ostrakon.harness.sim import World
from tests.sim.runtimes.asyncio.alone import run_alone

Program = Callable[[], Awaitable[object]]
PORT = 4000


def run_both(server: Program, client: Program, *, seed: int = 1) -> Any:
    """What the client returned. Raises: what either program raised."""
    with World(seed) as world:
        serving = world.machine("server").start(server)
        asking = world.machine("client").start(client)
        world.run(stop=lambda: asking.done)
        for process in (asking, serving):
            if process.error is not None:
                raise process.error
        assert asking.done, world.waiting()
        return asking.value


def echoing(**options: Any) -> Program:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            writer.write(chunk.upper())
            await writer.drain()
        writer.close()

    async def program() -> None:
        server = await asyncio.start_server(serve, "0.0.0.0", PORT, **options)
        async with server:
            await server.serve_forever()

    return program


def test_streams_carry_bytes_both_ways_and_half_close() -> None:
    async def client() -> bytes:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"hello ")
        writer.writelines([b"wor", b"ld"])
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    assert run_both(echoing(), client) == b"HELLO WORLD"


def test_trio_and_asyncio_talk_to_each_other() -> None:
    async def on_trio() -> bytes:
        await trio.sleep(0.1)
        async with await trio.open_tcp_stream("server", PORT) as stream:
            await stream.send_all(b"from trio")
            return bytes(await stream.receive_some())

    async def serve(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk[::-1])

    async def server_on_trio() -> None:
        await trio.serve_tcp(serve, PORT)

    async def on_asyncio() -> bytes:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"from asyncio")
        answer = await reader.read(100)
        writer.close()
        return answer

    assert run_both(echoing(), on_trio) == b"FROM TRIO"
    assert run_both(server_on_trio, on_asyncio) == b"oicnysa morf"


def test_a_writer_is_paused_while_its_peer_does_not_read() -> None:
    async def server() -> None:
        read = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)
            while await reader.read(1 << 16):
                pass
            read.set()

        async with await asyncio.start_server(serve, "0.0.0.0", PORT):
            await read.wait()

    async def client() -> tuple[list[str], float]:
        seen: list[str] = []

        class Sender(asyncio.Protocol):
            def pause_writing(self) -> None:
                seen.append("paused")

            def resume_writing(self) -> None:
                seen.append("resumed")

            def connection_lost(self, error: Exception | None) -> None:
                lost.set_result(None)

        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        lost = loop.create_future()
        transport, _ = await loop.create_connection(Sender, "server", PORT)
        transport.set_write_buffer_limits(high=10_000)
        assert transport.get_write_buffer_limits() == (2_500, 10_000)
        transport.write(bytes(5_000_000))
        assert transport.get_write_buffer_size() > 4_000_000
        transport.close()
        await lost
        return seen, loop.time()

    seen, time_s = run_both(server, client)

    assert seen == ["paused", "resumed"]
    assert time_s > 60


def test_a_reader_that_pauses_holds_its_peer_up() -> None:
    async def server() -> None:
        class Slow(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport, self.received = transport, 0
                transport.pause_reading()
                asyncio.get_running_loop().call_later(30, transport.resume_reading)

            def data_received(self, data: bytes) -> None:
                self.received += len(data)
                if self.received == 500_000:
                    self.transport.write(b"done")

        loop = asyncio.get_running_loop()
        async with await loop.create_server(Slow, "0.0.0.0", PORT) as server:
            await server.serve_forever()

    async def client() -> float:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(bytes(500_000))
        await writer.drain()
        drained_s = asyncio.get_running_loop().time()
        assert await reader.read(10) == b"done"
        writer.close()
        return drained_s

    assert run_both(server, client) > 30


@pytest.mark.parametrize("is_read", [True, False])
def test_an_abort_closes_and_resets_if_something_was_not_read(is_read: bool) -> None:
    async def server() -> None:
        aborted = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            transport: Any = writer.transport
            if not is_read:
                transport.pause_reading()
            await asyncio.sleep(1)
            transport.abort()
            aborted.set()

        async with await asyncio.start_server(serve, "0.0.0.0", PORT):
            await aborted.wait()

    async def client() -> type[BaseException] | None:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"hello")
        try:
            await reader.readexactly(10)
        except (ConnectionResetError, asyncio.IncompleteReadError) as error:
            return type(error)
        finally:
            writer.close()
        return None

    expected = asyncio.IncompleteReadError if is_read else ConnectionResetError
    assert run_both(server, client) is expected


def test_a_port_at_which_nobody_listens_refuses() -> None:
    async def program() -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", PORT)
        await asyncio.start_server(lambda *_: None, "0.0.0.0", PORT)
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(lambda *_: None, "0.0.0.0", PORT)

    run_alone(program)


def test_transports_tell_addresses_and_their_socket() -> None:
    async def client() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        _, writer = await asyncio.open_connection("server", PORT)
        sock = writer.get_extra_info("socket")
        writer.close()
        return {
            "peername": writer.get_extra_info("peername"),
            "sockname": writer.get_extra_info("sockname")[0],
            "family": sock.family,
            "nodelay": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            "other": writer.get_extra_info("other", "default"),
        }

    assert run_both(echoing(), client) == {
        "peername": ("10.0.0.1", PORT),
        "sockname": "10.0.0.2",
        "family": socket.AF_INET,
        "nodelay": 1,
        "other": "default",
    }


def test_names_are_those_of_machines() -> None:
    async def client() -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("server", PORT, type=socket.SOCK_STREAM)
        assert found == [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.0.1", PORT))]
        assert await loop.getnameinfo(("10.0.0.1", PORT)) == ("server", str(PORT))
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo("nobody", PORT)

    run_both(echoing(), client)


def test_datagrams_travel_alone() -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, sender: Any) -> None:
            self.transport.sendto(data.upper(), sender)

    async def server() -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("0.0.0.0", PORT))
        await asyncio.Event().wait()

    async def client() -> tuple[bytes, Any]:
        class Asker(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                transport.sendto(b"hello")

            def datagram_received(self, data: bytes, sender: Any) -> None:
                answered.set_result((data, sender))

        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[tuple[bytes, Any]] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(Asker, remote_addr=("server", PORT))
        try:
            return await answered
        finally:
            transport.close()

    assert run_both(server, client) == (b"HELLO", ("10.0.0.1", PORT))


def test_unix_sockets_join_the_tasks_of_a_process() -> None:
    async def program() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            writer.close()

        async with await asyncio.start_unix_server(serve, "/run/socket"):
            reader, writer = await asyncio.open_unix_connection("/run/socket")
            writer.write(b"hello\n")
            answer = await reader.read()
            writer.close()
            return answer

    assert run_alone(program) == b"HELLO\n"


def test_sockets_of_the_standard_library_do_what_the_loop_asks() -> None:
    async def server() -> None:
        loop = asyncio.get_running_loop()
        listener = socket.socket()
        listener.setblocking(False)
        listener.bind(("0.0.0.0", PORT))
        listener.listen()
        connection, address = await loop.sock_accept(listener)
        assert address[0] == "10.0.0.2"
        buffer = bytearray(100)
        count = await loop.sock_recv_into(connection, buffer)
        await loop.sock_sendall(connection, bytes(buffer[:count]) * 50_000)
        connection.close()
        await asyncio.Event().wait()

    async def client() -> int:
        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, ("server", PORT))
        await loop.sock_sendall(sock, b"hello")
        received = 0
        while chunk := await loop.sock_recv(sock, 10_000):
            received += len(chunk)
        sock.close()
        return received

    assert run_both(server, client) == 250_000


def test_datagram_sockets_do_what_the_loop_asks() -> None:
    async def program() -> tuple[bytes, Any]:
        loop = asyncio.get_running_loop()
        one, other = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for port, sock in ((PORT, one), (PORT + 1, other)):
            sock.setblocking(False)
            sock.bind(("127.0.0.1", port))
        receiving = asyncio.create_task(loop.sock_recvfrom(other, 100))
        await loop.sock_sendto(one, b"hello", ("127.0.0.1", PORT + 1))
        return await receiving

    assert run_alone(program) == (b"hello", ("127.0.0.1", PORT))


def test_readers_are_called_as_long_as_there_is_something_to_read() -> None:
    async def client() -> list[bytes]:
        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, ("server", PORT))
        read: list[bytes] = []
        done = asyncio.Event()

        def one_byte() -> None:
            read.append(sock.recv(1))
            if len(read) == 5:
                done.set()

        loop.add_reader(sock, one_byte)
        await loop.sock_sendall(sock, b"hello")
        await done.wait()
        assert loop.remove_reader(sock)
        assert not loop.remove_reader(sock)
        return read

    assert run_both(echoing(), client) == [b"H", b"E", b"L", b"L", b"O"]


def test_a_file_is_sent_without_the_real_sendfile() -> None:
    async def client() -> bytes:
        await asyncio.sleep(0.1)
        Path("file").write_bytes(b"in the file")
        reader, writer = await asyncio.open_connection("server", PORT)
        with open("file", "rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    assert run_both(echoing(), client) == b"IN THE FILE"


CA = trustme.CA()


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CA.issue_cert("server").configure_cert(server)
    client = ssl.create_default_context()
    CA.configure_trust(client)
    return server, client


def test_tls_is_spoken_by_streams() -> None:
    for_server, for_client = contexts()

    async def client() -> tuple[bytes, str]:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT, ssl=for_client)
        writer.write(b"secret")
        answer = await reader.readexactly(6)
        version = writer.get_extra_info("ssl_object").version()
        writer.close()
        await writer.wait_closed()
        return answer, version

    assert run_both(echoing(ssl=for_server), client) == (b"SECRET", "TLSv1.3")


def test_a_connection_is_upgraded_to_tls() -> None:
    for_server, for_client = contexts()

    async def server() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readline() == b"STARTTLS\n"
            writer.write(b"go\n")
            await writer.start_tls(for_server)
            writer.write((await reader.readline()).upper())
            writer.close()

        async with await asyncio.start_server(serve, "0.0.0.0", PORT) as serving:
            await serving.serve_forever()

    async def client() -> bytes:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go\n"
        await writer.start_tls(for_client, server_hostname="server")
        writer.write(b"secret\n")
        answer = await reader.readline()
        writer.close()
        return answer

    assert run_both(server, client) == b"SECRET\n"


def test_a_certificate_of_a_stranger_is_refused() -> None:
    for_server, _ = contexts()

    async def client() -> None:
        await asyncio.sleep(0.1)
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("server", PORT, ssl=ssl.create_default_context())

    run_both(echoing(ssl=for_server), client)
