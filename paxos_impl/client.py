"""The client's side: propose a value, get the chosen one, ask an instance how it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar

import trio

from paxos_impl.core.ballot import Value
from paxos_impl.core.effect import Chosen, Refused, Unknown
from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.membership import Address
from paxos_impl.wire import (
    Answer,
    ClientGet,
    ClientPropose,
    ClientStatus,
    Request,
    Status,
    framed,
    read_response,
)

_T = TypeVar("_T")


class NoAnswer(Exception):
    """Nothing was heard. What was asked for may be done, now or later, or never."""


class Client:
    """A connection to one instance; use it with `async with`. One request is under way at a time.

    Its methods wait for as long as it takes: bound them by `trio.move_on_after`, and drop the client then.
    They raise NoAnswer when the connection can't be made, or breaks.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._stream: trio.SocketStream | None = None
        self._reader = FrameReader()
        self._requests = 0

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)

    async def propose(self, value: Value) -> Chosen | Refused:
        """Have `value` chosen, or hear which other value was."""
        self._requests += 1
        return await self._ask(ClientPropose(self._requests, value), Chosen, Refused)

    async def get(self) -> Chosen | Unknown | Refused:
        """The chosen value, if this instance knows it."""
        self._requests += 1
        return await self._ask(ClientGet(self._requests), Chosen, Unknown, Refused)

    async def status(self) -> Status:
        """What the instance says of itself."""
        self._requests += 1
        return await self._ask(ClientStatus(self._requests), Status)

    async def _ask(self, request: Request, *kinds: type[_T]) -> _T:
        try:
            answer = await self._exchange(request)
        except (OSError, trio.BrokenResourceError, BadFrame) as error:
            raise NoAnswer(f"{self._address}: {error}") from error
        if not isinstance(answer, kinds):
            raise NoAnswer(f"{self._address} answered {request} with {answer}")
        return answer

    async def _exchange(self, request: Request) -> Answer:
        if self._stream is None:
            self._stream = await trio.open_tcp_stream(self._address.host, self._address.port)
        await self._stream.send_all(framed(request))
        while chunk := await self._stream.receive_some():
            for body in self._reader.feed(chunk):
                response = read_response(body)
                if response.request == request.request:
                    return response.answer
        raise BadFrame("it closed the connection")


async def propose(addresses: Sequence[Address], value: Value, *, timeout_s: float) -> Chosen | Refused:
    """Propose to these instances, one after the other, until one knows what is chosen.

    Proposing to several does no harm: whatever any of them answers is the one decree.

    Raises: NoAnswer.
    """
    return await _ask_in_turn(addresses, lambda client: client.propose(value), timeout_s)


async def get(addresses: Sequence[Address], *, timeout_s: float) -> Chosen | Unknown | Refused:
    """Ask these instances, one after the other, until one knows; Unknown if those that answer do not.

    Raises: NoAnswer, when none answers at all.
    """
    return await _ask_in_turn(addresses, Client.get, timeout_s)


async def status(address: Address, *, timeout_s: float) -> Status:
    """Ask an instance how it is.

    Raises: NoAnswer.
    """
    return await _ask_in_turn([address], Client.status, timeout_s)


async def _ask_in_turn(
    addresses: Sequence[Address], ask: Callable[[Client], Awaitable[_T]], timeout_s: float
) -> _T:
    """The first answer that settles the matter, or else the last one; each has its share of the time."""
    deadline = trio.current_time() + timeout_s
    answers: list[_T] = []
    silences: list[str] = []
    for at, address in enumerate(addresses):
        share_s = (deadline - trio.current_time()) / (len(addresses) - at)
        try:
            with trio.fail_after(max(share_s, 0)):
                async with Client(address) as client:
                    answers.append(await ask(client))
        except NoAnswer as error:
            silences.append(str(error))
        except trio.TooSlowError:
            silences.append(f"{address}: no answer in time")
        if answers and not isinstance(answers[-1], Unknown | Refused):
            break
    if not answers:
        raise NoAnswer("; ".join(silences) or "there is no instance to ask")
    return answers[-1]
