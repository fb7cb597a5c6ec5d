"""Simulated sockets do what sockets do."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.sim import Constant, Disturbance, World
from tests.sim.toy import PORT, run_one

Serve = Callable[[trio.SocketStream], Awaitable[None]]
Talk = Callable[[trio.SocketStream], Awaitable[None]]


def converse(serve: Serve, talk: Talk, *, seed: int = 1, prepare: Callable[[World], object] = bool) -> World:
    """One connection between two machines; errors of either side are the test's."""

    async def server() -> None:
        (listener,) = await trio.open_tcp_listeners(PORT)
        async with await listener.accept() as stream:
            await serve(stream)

    async def client() -> None:
        async with await trio.open_tcp_stream("server", PORT) as stream:
            await talk(stream)

    with World(seed) as world:
        processes = [world.machine("server").start(server), world.machine("client").start(client)]
        prepare(world)
        world.run(until_s=5000, stop=lambda: all(process.done for process in processes))
        for process in processes:
            if process.error is not None:
                raise process.error
            assert process.done, f"{process} did not end: {world.waiting()}"
    return world


async def read_all(stream: trio.SocketStream) -> bytes:
    return b"".join([chunk async for chunk in stream])


@settings(max_examples=30, deadline=None)
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=50_000), max_size=8),
    reads=st.lists(st.integers(1, 40_000), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    faults=st.sampled_from(["none", "delay", "drop", "reorder", "duplicate", "corrupt", "cut"]),
)
def test_bytes_arrive_once_and_in_order_whatever_the_network_does(
    chunks: list[bytes], reads: list[int], seed: int, faults: Any
) -> None:
    received = bytearray()

    async def sink(stream: trio.SocketStream) -> None:
        rng = random.Random(seed)
        while chunk := await stream.receive_some(rng.choice(reads)):
            received.extend(chunk)

    async def source(stream: trio.SocketStream) -> None:
        for chunk in chunks:
            await stream.send_all(chunk)

    def prepare(world: World) -> None:
        if faults == "cut":
            for at_s in (0.002, 0.3, 0.9):
                world.call_later(at_s, cut_for_a_while, world)
        elif faults != "none":
            world.network.disturb(Disturbance(faults, 0.4, ms=20))

    def cut_for_a_while(world: World) -> None:
        cut = world.network.cut({"server": ["client"], "client": ["server"]})
        world.call_later(0.25, world.network.mend, cut)

    converse(sink, source, seed=seed, prepare=prepare)

    assert bytes(received) == b"".join(chunks)


def test_one_side_may_end_its_stream_and_go_on_reading() -> None:
    async def answers_at_the_end(stream: trio.SocketStream) -> None:
        await stream.send_all(await read_all(stream))

    async def sends_then_reads(stream: trio.SocketStream) -> None:
        await stream.send_all(b"question")
        await stream.send_eof()
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"more")
        assert await read_all(stream) == b"question"

    converse(answers_at_the_end, sends_then_reads)


def test_a_sender_waits_for_a_reader_that_does_not_read() -> None:
    progress: list[int] = []

    async def reads_late(stream: trio.SocketStream) -> None:
        await trio.sleep(10)
        progress.append(-1)
        await read_all(stream)

    async def sends_much(stream: trio.SocketStream) -> None:
        for megabyte_part in range(10):
            await stream.send_all(bytes(50_000))
            progress.append(megabyte_part)

    converse(reads_late, sends_much)

    assert progress == [0, -1, *range(1, 10)]


def test_closing_with_unread_data_resets_the_connection() -> None:
    async def closes_without_reading(stream: trio.SocketStream) -> None:
        await trio.sleep(1)

    async def notices(stream: trio.SocketStream) -> None:
        await stream.send_all(b"you will not read this")
        with pytest.raises(trio.BrokenResourceError) as failure:
            await stream.receive_some()
        assert isinstance(failure.value.__cause__, ConnectionResetError)

    converse(closes_without_reading, notices)


def test_sending_to_one_who_has_closed_breaks_at_the_second_send() -> None:
    async def closes(stream: trio.SocketStream) -> None:
        pass

    async def sends_on(stream: trio.SocketStream) -> None:
        assert await stream.receive_some() == b""
        await stream.send_all(b"into the void")
        await trio.sleep(1)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"again")

    converse(closes, sends_on)


def test_nobody_listens_means_refused() -> None:
    async def program(world: World) -> None:
        sock = trio.socket.socket()
        with pytest.raises(ConnectionRefusedError):
            await sock.connect(("alone", 1))

    run_one(program)


def test_two_listeners_cannot_share_a_port_and_a_freed_one_can_be_taken() -> None:
    async def program(world: World) -> None:
        (first,) = await trio.open_tcp_listeners(PORT)
        with pytest.raises(OSError, match="in use"):
            await trio.open_tcp_listeners(PORT)
        await first.aclose()
        await trio.open_tcp_listeners(PORT)

    run_one(program)


def test_port_zero_takes_a_free_port_and_tells_it() -> None:
    async def program(world: World) -> None:
        listeners = [(await trio.open_tcp_listeners(0))[0] for _ in range(3)]
        ports = {listener.socket.getsockname()[1] for listener in listeners}
        assert len(ports) == 3
        assert 0 not in ports

    run_one(program)


def test_whoever_waits_on_a_socket_that_is_closed_is_told() -> None:
    async def closes_later(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:

            async def reads() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await stream.receive_some()

            nursery.start_soon(reads)
            await trio.sleep(1)
            await stream.aclose()

    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep(5)

    converse(closes_later, silent)


def test_two_tasks_reading_one_socket_are_told_apart() -> None:
    async def program(world: World) -> None:
        (listener,) = await trio.open_tcp_listeners(PORT)
        stream = await trio.open_tcp_stream("alone", PORT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await stream.receive_some()
            nursery.cancel_scope.cancel()
        await listener.aclose()

    import trio.testing

    run_one(program)


def test_cancelling_a_read_loses_nothing() -> None:
    async def slow(stream: trio.SocketStream) -> None:
        for number in range(5):
            await stream.send_all(bytes([number]))
            await trio.sleep(0.25)

    async def impatient(stream: trio.SocketStream) -> None:
        received, timeouts = b"", 0
        while len(received) < 5:
            with trio.move_on_after(0.1) as scope:
                received += await stream.receive_some()
            timeouts += scope.cancelled_caught
        assert received == bytes(range(5))
        assert timeouts > 3

    converse(slow, impatient)


def test_a_full_backlog_lets_those_wait_who_come_too_late() -> None:
    """As on Linux: one more than the backlog is taken on, and requests beyond that are dropped."""
    outcomes: list[str] = []

    async def accepts_nothing() -> None:
        listeners = await trio.open_tcp_listeners(PORT, backlog=2)
        await trio.sleep_forever()
        del listeners

    async def client() -> None:
        with trio.move_on_after(5) as connecting:
            await trio.open_tcp_stream("server", PORT)
        outcomes.append("waits" if connecting.cancelled_caught else "connected")

    with World(1) as world:
        world.machine("server").start(accepts_nothing)
        for number in range(5):
            world.machine(f"c{number}").start(client)
            world.run(until_s=0.1 * (number + 1))
        world.run(until_s=20)

    assert outcomes == ["connected"] * 3 + ["waits"] * 2


def test_programs_on_one_machine_talk_over_loopback_and_no_cut_hurts() -> None:
    async def program(world: World) -> None:
        world.network.cut({"alone": ["alone"]})
        async with trio.open_nursery() as nursery:

            async def echo(stream: trio.SocketStream) -> None:
                async for chunk in stream:
                    await stream.send_all(chunk)

            await nursery.start(trio.serve_tcp, echo, PORT)
            stream = await trio.open_tcp_stream("localhost", PORT)
            await stream.send_all(b"self")
            assert await stream.receive_some() == b"self"
            nursery.cancel_scope.cancel()

    run_one(program)


def test_unix_sockets_join_tasks_of_one_machine() -> None:
    async def program(world: World) -> None:
        sock = trio.socket.socket(socket.AF_UNIX)
        await sock.bind("/run/toy.sock")
        sock.listen()
        client = await trio.open_unix_socket("/run/toy.sock")
        server, _ = await sock.accept()
        await client.send_all(b"hello")
        assert await server.recv(100) == b"hello"
        with pytest.raises(FileNotFoundError):
            await trio.open_unix_socket("/run/other.sock")

    run_one(program)


@pytest.mark.parametrize(
    ("family", "kind"), [(socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_RAW)]
)
def test_other_sockets_are_refused_as_by_a_system_without_them(family: int, kind: int) -> None:
    async def program(world: World) -> None:
        with pytest.raises(OSError, match="not supported") as refusal:
            trio.socket.socket(family, kind)
        assert refusal.value.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)

    run_one(program)


# Datagrams.


def datagrams_received(count: int = 200, **fault: Any) -> list[int]:
    """Which of so many numbered datagrams arrive, in order."""
    received: list[int] = []

    async def receiver() -> None:
        sock = trio.socket.socket(type=socket.SOCK_DGRAM)
        await sock.bind(("0.0.0.0", PORT))
        while True:
            data, (ip, _) = await sock.recvfrom(100)
            assert ip == "10.0.0.2"
            received.append(int.from_bytes(data, "big"))

    async def sender() -> None:
        sock = trio.socket.socket(type=socket.SOCK_DGRAM)
        for number in range(count):
            await sock.sendto(number.to_bytes(2, "big"), ("receiver", PORT))
            await trio.sleep(0.01)

    with World(2, latency=Constant(1)) as world:
        world.machine("receiver").start(receiver)
        process = world.machine("sender").start(sender)
        if fault:
            world.network.disturb(Disturbance(**fault))
        world.run(stop=lambda: process.done)
        world.run(until_s=world.now_s + 5)
    return received


def test_datagrams_arrive_when_nothing_is_wrong() -> None:
    assert datagrams_received() == list(range(200))


def test_datagrams_are_lost() -> None:
    assert 100 < len(datagrams_received(kind="drop", probability=0.3)) < 180


def test_datagrams_are_doubled() -> None:
    assert 220 < len(datagrams_received(kind="duplicate", probability=0.3)) < 300


def test_datagrams_overtake_each_other() -> None:
    received = datagrams_received(kind="delay", probability=0.3, ms=50)

    assert received != sorted(received)
    assert sorted(received) == list(range(200))


def test_datagrams_are_corrupted_by_one_bit() -> None:
    received = datagrams_received(kind="corrupt", probability=0.3)
    turned = [(sent ^ got).bit_count() for sent, got in enumerate(received)]

    assert set(turned) == {0, 1}
    assert 30 < sum(turned) < 90


def test_a_connected_datagram_socket_answers_and_too_large_is_refused() -> None:
    async def program(world: World) -> None:
        server = trio.socket.socket(type=socket.SOCK_DGRAM)
        await server.bind(("127.0.0.1", PORT))
        client = trio.socket.socket(type=socket.SOCK_DGRAM)
        await client.connect(("127.0.0.1", PORT))
        await client.send(b"ping")
        data, sender = await server.recvfrom(100)
        await server.sendto(data[:2] + b"ng", sender)
        assert await client.recv(100) == b"ping"
        with pytest.raises(OSError, match="too long"):
            await client.send(bytes(70_000))
        with pytest.raises(OSError, match="in use"):
            await trio.socket.socket(type=socket.SOCK_DGRAM).bind(("127.0.0.1", PORT))

    run_one(program)


@pytest.mark.parametrize(("limit_ms", "broken"), [(2000, True), (0, False)])
def test_the_user_timeout_strikes_a_window_that_stays_shut(limit_ms: int, broken: bool) -> None:
    """Without it Linux probes for ever, as long as the peer's system answers."""
    ended: list[tuple[str, float]] = []

    async def server() -> None:
        await trio.serve_tcp(lambda stream: trio.sleep_forever(), PORT)

    async def client() -> None:
        await trio.sleep(0.1)
        stream = await trio.open_tcp_stream("server", PORT)
        if limit_ms:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)
        began_s = trio.current_time()
        with trio.move_on_after(60) as waiting:
            try:
                await stream.send_all(bytes(10_000_000))
            except trio.BrokenResourceError as error:
                ended.append((type(error.__cause__).__name__, trio.current_time() - began_s))
        if waiting.cancelled_caught:
            ended.append(("waits", 60))

    with World(1) as world:
        world.machine("server").start(server)
        done = world.machine("client").start(client)
        world.run(stop=lambda: done.done)

    assert [name for name, _ in ended] == ["TimeoutError" if broken else "waits"]
    assert not broken or 2 <= ended[0][1] < 3
