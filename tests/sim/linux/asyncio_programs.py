"""Programs that look at asyncio: streams, transports, threads, tasks"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import queue
import socket
import threading
import time
from collections.abc import AsyncIterator
from concurrent import futures
from typing import Any

from tests.sim.linux.observe import Observer


async def streams(o: Observer) -> None:
    """Limits, separators and what the end of a stream leaves."""
    seen: list[object] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"||"))
        seen.append(await reader.readexactly(3))
        for read in (reader.readuntil(b"||"), reader.readline()):
            try:
                await read
            except (asyncio.LimitOverrunError, ValueError) as error:
                seen.append((type(error).__name__, str(error)))
        writer.write(b"done\n")
        await writer.drain()
        writer.write_eof()
        seen.append((len(await reader.read()), reader.at_eof()))
        try:
            await reader.readexactly(4)
        except asyncio.IncompleteReadError as error:
            seen.append((error.partial, error.expected))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=64)
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port, limit=16)
    writer.write(b"abc||123" + b"x" * 100)
    writer.writelines([b"y" * 100, b"\n", b"z" * 300])
    o.note("lines", [await reader.readline(), await reader.read()])
    writer.write_eof()
    o.note("ends", (writer.can_write_eof(), writer.transport.is_closing(), reader.at_eof()))
    o.note("told", (writer.get_extra_info("peername")[0], writer.get_extra_info("nothing", 7)))
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    server.close()
    o.note("closed", (server.is_serving(), server.sockets))
    o.note("written after the end", _error(writer.write, b"late"))
    o.note("of the server", seen)


async def transports(o: Observer) -> None:
    """Protocols are told of full buffers, ends and lost connections."""
    log: list[object] = []
    loop = asyncio.get_running_loop()

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            transport.set_write_buffer_limits(high=10, low=2)
            log.append("made")

        def data_received(self, data: bytes) -> None:
            self.transport.pause_reading()
            loop.call_later(0.01, self.transport.resume_reading)

        def eof_received(self) -> bool:
            log.append("end")
            return False

        def pause_writing(self) -> None:
            log.append("pause")

        def connection_lost(self, error: Exception | None) -> None:
            log.append(("lost", type(error).__name__))

    server = await loop.create_server(Noting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, protocol = await loop.create_connection(Noting, "127.0.0.1", port)
    await asyncio.sleep(0.02)
    o.note("limits", (transport.get_write_buffer_limits(), transport.get_write_buffer_size()))
    o.note("is", (transport.is_reading(), transport.can_write_eof(), transport.get_protocol() is protocol))
    transport.write(b"y" * 20_000_000)
    o.note("full", transport.get_write_buffer_size() > 0)
    transport.abort()
    await asyncio.sleep(0.02)
    o.note("aborted", log[:4])
    del log[:]
    transport, _ = await loop.create_connection(Noting, "127.0.0.1", port)
    transport.write_eof()
    await asyncio.sleep(0.05)
    o.note("written after the end", _error(transport.write, b"late"))
    o.note("ended", log)
    server.close()
    for label, connect in (
        ("port in use", loop.create_server(Noting, "127.0.0.1", port)),
        ("no file", loop.create_unix_connection(Noting, o.path("nothing"))),
    ):
        o.note(label, type(await _outcome(connect)).__name__)


async def readers(o: Observer) -> None:
    """Sockets without transports."""
    loop = asyncio.get_running_loop()
    got: list[bytes] = []
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        for sock in (listener, client):
            sock.setblocking(False)
        await loop.sock_connect(client, listener.getsockname())
        server, _ = await loop.sock_accept(listener)
        with server:
            loop.add_reader(server.fileno(), lambda: got.append(server.recv(100)))
            await loop.sock_sendall(client, b"hello")
            await asyncio.sleep(0.05)
            o.note("read", got)
            o.note("removed", (loop.remove_reader(server), loop.remove_reader(server)))
            buffer = bytearray(4)
            await loop.sock_sendall(client, b"xy")
            o.note("into", (await loop.sock_recv_into(server, buffer), bytes(buffer)))
            client.close()
            o.note("end", await loop.sock_recv(server, 5))
        o.note("closed", _error(loop.add_reader, server, print))
    o.note("no such descriptor", _error(loop.add_reader, 123_456_789, print))
    with open(o.path("file"), "w") as file:
        o.note("a file", _error(loop.add_reader, file.fileno(), print))
    o.note("negative", _error(loop.add_reader, -1, print))


async def pools_of_threads(o: Observer) -> None:
    """Order, names, initializers, values of context variables, and waiting in the event loop."""
    loop = asyncio.get_running_loop()
    log: list[object] = []
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("main")

    def work(number: int) -> str:
        log.append(("begins", number))
        time.sleep(0.02)
        log.append(("ends", number))
        return threading.current_thread().name

    pool = futures.ThreadPoolExecutor(1, thread_name_prefix="pool", initializer=lambda: log.append("made"))
    o.note("names", await asyncio.gather(*(loop.run_in_executor(pool, work, one) for one in range(3))))
    o.note("order", log)
    pool.shutdown()
    o.note("after its end", _error(pool.submit, work, 1))
    o.note("context in a pool", await loop.run_in_executor(None, variable.get))
    o.note("context in to_thread", await asyncio.to_thread(variable.get))
    made: list[str] = []
    thread = threading.Thread(target=lambda: made.append(variable.get()))
    thread.start()
    thread.join()
    o.note("context in a thread", made)
    o.note("main thread", threading.current_thread() is threading.main_thread())
    o.note(
        "another thread",
        await asyncio.to_thread(lambda: threading.get_ident() == threading.main_thread().ident),
    )
    local = threading.local()
    local.value = 1
    o.note("local values", await asyncio.to_thread(hasattr, local, "value"))
    with futures.ThreadPoolExecutor(3) as pool:
        begun = [pool.submit(_sleep, wait) for wait in (0.09, 0.05, 0.01)]
        o.note("as they end", [one.result() for one in futures.as_completed(begun)])
        o.note("too slow", _error(pool.submit(time.sleep, 0.2).result, 0.01))
        o.note("mapped", list(pool.map(lambda value: value * 2, range(3))))


async def waits_of_the_event_loop(o: Observer) -> None:
    """The event loop waits for threads, with locks and queues of `threading` and `queue`."""
    barrier, met = threading.Barrier(2), list[int]()
    threads = [threading.Thread(target=lambda: met.append(barrier.wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    o.note("barrier", sorted(met))
    o.note("alone at a barrier", _error(threading.Barrier(2).wait, 0.01))
    semaphore = threading.BoundedSemaphore(1)
    o.note("semaphore", [semaphore.acquire(timeout=0.02) for _ in range(2)])
    items: queue.Queue[int] = queue.Queue(1)
    consumer = threading.Thread(target=_take, args=(items, 2))
    consumer.start()
    items.put(1)
    items.put(2)
    items.join()
    consumer.join()
    o.note("queue", items.empty())
    items.put(3)
    o.note("full", _error(items.put, 4, True, 0.01))
    condition = threading.Condition()

    def notify() -> None:
        time.sleep(0.02)
        with condition:
            condition.notify()

    threading.Thread(target=notify).start()
    with condition:
        o.note("condition", condition.wait(1))
    lock, taken = threading.RLock(), list[bool]()
    other = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=0.01)))
    with lock, lock:
        other.start()
        other.join()
    o.note("lock of another thread", taken)
    timer = threading.Timer(0.01, taken.append, args=[True])
    timer.start()
    timer.join()
    o.note("timer", taken)


async def tasks(o: Observer) -> None:
    """Cancellation, time limits, groups, generators and errors that nobody takes."""
    loop = asyncio.get_running_loop()
    log: list[object] = []

    async def stubborn() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "goes on"
        return "slept"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    task.cancel()
    o.note("swallowed", (await task, task.cancelled(), task.cancelling()))
    try:
        async with asyncio.timeout(0.02):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(1))
    except TimeoutError as error:
        o.note("group out of time", type(error.__cause__).__name__)
    shielded = asyncio.shield(asyncio.sleep(0.05, 3))
    timed_out = await _outcome(asyncio.wait_for(shielded, 0.01))
    o.note("shielded", (type(timed_out).__name__, shielded.cancelled()))
    sleeps = [asyncio.sleep(number / 50, number) for number in (2, 1)]
    o.note("in order of ends", [await one for one in asyncio.as_completed(sleeps)])

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            log.append("closing")
            await asyncio.sleep(0)
            log.append("closed")

    async for _ in numbers():
        break
    gc.collect()
    await asyncio.sleep(0.01)
    o.note("generator", log)
    told: list[object] = []
    loop.set_exception_handler(lambda _, said: told.append((said["message"], repr(said["exception"]))))
    loop.call_soon(lambda: 1 // 0)
    lost: Any = asyncio.ensure_future(_fail())
    await asyncio.sleep(0.01)
    del lost
    gc.collect()
    o.note("errors", [str(one).split("<lambda>")[0] for one in told])
    o.note("a loop in a loop", _error(asyncio.run, _fail))
    if hasattr(asyncio, "eager_task_factory"):
        loop.set_task_factory(asyncio.eager_task_factory)
        eager = loop.create_task(_one())
        o.note("eager", eager.done())


async def _one() -> int:
    return 1


async def debug_mode(o: Observer) -> None:
    """Callbacks that block for long are logged, and calls from other threads refused."""
    loop = asyncio.get_running_loop()
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    loop.set_debug(True)
    loop.slow_callback_duration = 0.05
    try:
        loop.call_soon(time.sleep, 0.06)
        await asyncio.sleep(0.1)
        o.note("slow", [line.split()[0] for line in told])
        o.note("other thread", await asyncio.to_thread(_error, loop.call_soon, print))
        o.note("not a callback", _error(loop.call_soon, 7))
        o.note("a coroutine", _error(loop.call_later, 1, _fail))
    finally:
        loop.set_debug(False)
        logger.removeHandler(handler)
    for label, call in (("time", loop.time), ("handler", loop.get_exception_handler)):
        o.note(label, type(call()).__name__)


def _sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def _take(items: queue.Queue[int], count: int) -> None:
    for _ in range(count):
        items.get()
        items.task_done()


async def _fail() -> None:
    raise ValueError("lost")


async def _outcome(awaitable: Any) -> Any:
    try:
        return await awaitable
    except Exception as error:
        return error


def _error(call: Any, *args: Any) -> str:
    try:
        return repr(call(*args))
    except Exception as error:
        number = f" {error.errno}" if isinstance(error, OSError) and error.errno else ""
        return f"{type(error).__name__}{number}: {str(error).split(' at 0x')[0]}"


CASES = [streams, transports, readers, pools_of_threads, waits_of_the_event_loop, tasks, debug_mode]
