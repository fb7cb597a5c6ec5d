"""Two programs that know nothing of simulation: a server that echoes lines and a client that talks to it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from ostrakon.harness.sim import Machine, World

PORT = 4000


async def echo_server() -> None:
    """Send back what comes, as it comes."""

    async def echo(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                async for chunk in stream:
                    await stream.send_all(chunk)
        except trio.BrokenResourceError:
            pass

    await trio.serve_tcp(echo, PORT)


@dataclass
class Client:
    """Sends numbered lines and waits for each to come back; connects again when a connection fails."""

    lines: int
    pause_s: float = 0.1
    timeout_s: float = 5.0
    unheard_ms: int = 0
    """What TCP_USER_TIMEOUT is set to."""
    log: list[tuple[float, str]] = field(default_factory=list)
    """What went otherwise than "echoed", with the time."""
    echoed: int = 0

    async def __call__(self) -> None:
        while self.echoed < self.lines:
            try:
                with trio.fail_after(self.timeout_s):
                    stream = await trio.open_tcp_stream("server", PORT)
                    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.unheard_ms)
                async with stream:
                    await self._talk(stream)
            except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
                self.log.append((round(trio.current_time(), 3), _name(error)))
                await trio.sleep(0.5)

    async def _talk(self, stream: trio.SocketStream) -> None:
        while self.echoed < self.lines:
            line = b"%d\n" % self.echoed
            with trio.fail_after(self.timeout_s):
                await stream.send_all(line)
                received = b""
                while not received.endswith(b"\n"):
                    if not (chunk := await stream.receive_some()):
                        raise trio.BrokenResourceError("end of stream")
                    received += chunk
            assert received == line
            self.echoed += 1
            await trio.sleep(self.pause_s)


def _name(error: BaseException) -> str:
    cause = error.__cause__
    return type(cause if isinstance(cause, OSError) else error).__name__


def echo_world(seed: int, client: Client, **options: object) -> tuple[World, Machine, Machine]:
    """A world with the two of them, ready to run."""
    world = World(seed, **options)  # type: ignore[arg-type]
    server, other = world.machine("server"), world.machine("client")
    server.start(echo_server)
    other.start(client)
    return world, server, other


def run_one(program: Callable[[World], object], seed: int = 1) -> World:
    """Run what `program` makes of the world, alone on a machine, to its end; its errors are the test's."""
    with World(seed) as world:
        process = world.machine("alone").start(lambda: program(world))
        world.run(stop=lambda: process.done)
        if process.error is not None:
            raise process.error
        assert process.done, "it did not end"
    return world
