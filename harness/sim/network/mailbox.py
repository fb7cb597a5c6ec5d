"""Messages between machines without sockets: Python objects, as datagrams.

For programs that are written against a message port of their own. A message takes the link's latency, is lost
where the link is cut or the receiving process is not there, and drop, duplicate, reorder and delay strike it
as a whole. A new process starts with an empty mailbox.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import Abort

from ostrakon.harness.sim.network.hold import InFlight
from ostrakon.harness.sim.network.link import Link
from ostrakon.harness.sim.runtimes.trio.waiting import (
    Trap,
    checkpoint_if_cancelled,
    is_cancelled,
    let_others_run,
    park,
)

if TYPE_CHECKING:
    from ostrakon.harness.sim.kernel.kernel import Kernel
    from ostrakon.harness.sim.network.host import Owner


class Mailbox:
    """Where one process receives and sends; made by `Process.mailbox`."""

    def __init__(self, process: Owner) -> None:
        self._process = process
        self._machine = process.machine
        self._network = process.machine.world.network
        self._kernel = self._network.kernel
        self._waiting: deque[tuple[str, Any]] = deque()
        self._receiver: Any = None
        self._loop = process.event_loop
        self._routes: dict[str, Link] = {}
        self._to_receive = Trap(self._stop_receiving)

    def send(self, to: str, message: Any) -> None:
        """Send a message to the process that runs on machine `to` when it arrives. Never waits.

        Raises: SimulationError if there is no such machine.
        """
        route = self._routes.get(to)
        if route is None:
            route = self._routes[to] = self._network.link(self._machine.name, to)
        if self._process.alive:
            if self._kernel.choice_log is not None:
                self._kernel.note_choice("send", *route.name, repr(message))
            self._dispatch(route, message)

    async def receive(self) -> tuple[str, Any]:
        """Wait for a message; returns the sender's name and the message."""
        if self._loop is not None:
            return await self._receive_in(self._loop)
        if is_cancelled():
            await checkpoint_if_cancelled()
        if self._waiting:
            if not self._process.is_alone:
                await let_others_run()
            return self._waiting.popleft()
        if self._receiver is not None:
            raise trio.BusyResourceError("another task is already receiving from this mailbox")
        self._receiver = trio.lowlevel.current_task()
        received: tuple[str, Any] = await park(self._to_receive)
        return received

    async def _receive_in(self, loop: Any) -> tuple[str, Any]:
        """`receive` in an event loop of asyncio."""
        if self._waiting:
            return self._waiting.popleft()
        if self._receiver is not None:
            raise RuntimeError("another task is already receiving from this mailbox")
        self._receiver = future = loop.create_future()
        try:
            received: tuple[str, Any] = await future
        except BaseException:
            if future.done() and not future.cancelled():
                self._waiting.appendleft(future.result())  # It came at the last moment, and is for the next.
            elif self._receiver is future:
                self._receiver = None
            raise
        return received

    def _dispatch(self, route: Link, message: Any) -> None:
        kernel, network = self._kernel, self._network
        if route.is_between_nodes and not route.disturbed and not network.deviations:
            # As `Network.send_message` counts it.
            route.sent += 1
            network.messages += 1
            kernel.call_at(kernel.now_ns + route.draw_ns(), _arrive, kernel, route, message)
            return
        _, fate = network.send_message(route, message)
        for _ in range(fate.copies):
            at_ns = kernel.now_ns + route.draw_ns() + fate.extra_ns
            kernel.call_at(at_ns, _arrive, kernel, route, message)

    def put(self, sender: str, message: Any) -> None:
        """Accept a message that has arrived."""
        if self._receiver is not None:
            receiver, self._receiver = self._receiver, None
            self._process.reschedule(receiver, (sender, message))
        else:
            self._waiting.append((sender, message))

    def _stop_receiving(self, _: Any) -> Abort:
        self._receiver = None
        return Abort.SUCCEEDED


def _arrive(kernel: Kernel, route: Link, message: Any) -> None:
    if route.down:
        route.count_cut()
        route.dropped += 1
    elif route.holds:
        held = InFlight(
            *route.name,
            payload=repr(message).encode(),
            is_whole=True,
            arrive=lambda: _deliver(kernel, route, message),
        )
        route.holds[0].keep(held)
    else:
        _deliver(kernel, route, message)


def _deliver(kernel: Kernel, route: Link, message: Any) -> None:
    process = route.receiver.process
    if process is None or not process.alive:
        route.dropped += 1
    else:
        route.delivered += 1
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, route.number))
        process.mailbox.put(route.sender.name, message)
