"""Load on a replicated store: sessions that each do one thing after the other, and how long each took them.

Sessions share a few connections, as those of one process would: their requests are under way side by side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import trio

from ostrakon.paxos_impl.wire.decree import framed
from ostrakon.paxos_impl.wire.frame import FrameReader
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Done, Execute, OpenSession, Read, Request, read_response

CONNECTIONS = 4
KEYS = 1000
TICK_S = 0.001
"""How exactly a rate is kept: so long a request may come after it was due, which counts as its time."""
LAST_ANSWERS_S = 5.0
CHUNK_BYTES = 1 << 16
_names = itertools.count()

Operation = Callable[[int, str, int], Request]
"""Makes a request, of the session's number and name, and of how many it made before."""


def write(number: int, session: str, nth: int, size: int = 100) -> Request:
    """A write of a value of so many bytes."""
    return Execute(number, session, nth + 1, ["put", key(number, nth, size), "v" * size])


def read(number: int, session: str, nth: int) -> Request:
    """A linearizable read, as the leader finds best: by its lease, while it holds one."""
    return Read(number, ["get", key(number, nth)], "lease")


def read_index(number: int, session: str, nth: int) -> Request:
    """A linearizable read for which the leader makes sure that it still is one."""
    return Read(number, ["get", key(number, nth)], "index")


def key(number: int, nth: int, size: int = 100) -> str:
    """A key; there are fewer for long values, so that all of them take no more than some megabytes."""
    return f"k{size}.{(61 * number + nth) % min(KEYS, max(10, 20_000_000 // size))}"


@dataclass
class Load:
    """What was done, and how long each operation took."""

    took_s: list[float] = field(default_factory=list)
    failed: int = 0
    lasted_s: float = 0.0

    @property
    def rate(self) -> float:
        """Operations a second."""
        return len(self.took_s) / self.lasted_s

    def quantile_ms(self, share: float) -> float:
        """So large a share of the operations took no longer than this."""
        ordered = sorted(self.took_s) or [math.nan]
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def load(
    leader: Address,
    operation: Operation,
    *,
    sessions: int,
    seconds: float,
    rate: float | None = None,
    opening: Callable[[int, str], Request] = OpenSession,
) -> Load:
    """Have sessions do this for so long: as fast as they can, or so many in all a second, at random times.

    `opening` makes the request that opens a session, from a number and a name.
    """
    names = await _open_sessions(leader, sessions, opening)
    done, begun = Load(), trio.current_time()
    async with trio.open_nursery() as nursery:
        connections = min(CONNECTIONS, sessions)
        for number in range(connections):
            share = names[number::connections]
            pace = None if rate is None else rate / connections
            nursery.start_soon(_Connection(done, operation, share, pace, begun + seconds).run, leader)
    done.lasted_s = seconds
    return done


async def _open_sessions(leader: Address, count: int, opening: Callable[[int, str], Request]) -> list[str]:
    """The ids of new sessions."""
    ids: list[str] = []
    reader = FrameReader()
    async with await trio.open_tcp_stream(*leader) as stream:
        for number in range(count):
            await stream.send_all(framed(opening(number, f"bench{next(_names)}")))
            while len(ids) <= number:
                for body in reader.feed(await stream.receive_some(CHUNK_BYTES)):
                    answer = read_response(body).answer
                    assert isinstance(answer, Done), answer
                    ids.append(answer.result)
    return ids


class _Connection:
    """Some of the sessions. Each has one request under way at a time, which has the session's number."""

    def __init__(
        self, done: Load, operation: Operation, names: list[str], rate: float | None, end: float
    ) -> None:
        self._done, self._operation, self._end = done, operation, end
        self._names, self._idle = names, list(range(len(names)))
        self._nth, self._due_s = [0] * len(names), [0.0] * len(names)
        self._rate, self._rng = rate, Random(names[0])

    async def run(self, leader: Address) -> None:
        async with await trio.open_tcp_stream(*leader) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, stream, nursery.cancel_scope)
            if self._rate is None:
                await self._ask(stream, [trio.current_time()] * len(self._idle))
            else:
                await self._keep_rate(stream, self._rate)
            nursery.cancel_scope.deadline = self._end + LAST_ANSWERS_S

    async def _keep_rate(self, stream: trio.SocketStream, rate: float) -> None:
        due_s = trio.current_time()
        while due_s < self._end:
            now_s, all_due_s = trio.current_time(), list[float]()
            while due_s <= now_s and len(all_due_s) < len(self._idle):
                all_due_s.append(due_s)
                due_s += self._rng.expovariate(rate)
            await self._ask(stream, all_due_s)
            await trio.sleep(TICK_S)

    async def _ask(self, stream: trio.SocketStream, all_due_s: list[float]) -> None:
        """Have idle sessions make requests that were due at these times."""
        frames = []
        for due_s in all_due_s:
            number = self._idle.pop()
            nth, self._due_s[number] = self._nth[number], due_s
            self._nth[number] = nth + 1
            frames.append(framed(self._operation(number, self._names[number], nth)))
        if frames:
            await stream.send_all(b"".join(frames))

    async def _hear(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        reader, took_s, idle = FrameReader(), self._done.took_s, self._idle
        while chunk := await stream.receive_some(CHUNK_BYTES):
            now_s, bodies = trio.current_time(), reader.feed(chunk)
            is_over = now_s >= self._end
            for body in bodies:
                response = read_response(body)
                idle.append(response.request)
                if type(response.answer) is not Done:
                    self._done.failed += 1
                elif not is_over:
                    took_s.append(now_s - self._due_s[response.request])
            if is_over and len(idle) == len(self._names):
                scope.cancel()
            elif not is_over and self._rate is None:
                await self._ask(stream, [now_s] * len(bodies))
