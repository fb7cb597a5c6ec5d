"""A client of Basic Paxos: propose a value, get the chosen value, ask for the status of an instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar

import anyio

from ostrakon.paxos_impl.client.connection import Connection
from ostrakon.paxos_impl.client.connection import NoAnswer as NoAnswer
from ostrakon.paxos_impl.client.connection import NotReady as NotReady
from ostrakon.paxos_impl.core.ballot import Value
from ostrakon.paxos_impl.core.effect import Chosen, Refused, Unknown
from ostrakon.paxos_impl.wire.decree import (
    ClientGet,
    ClientPropose,
    ClientStatus,
    Request,
    Status,
    Waiting,
    read_response,
)
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_T = TypeVar("_T")


class Client:
    """A connection to one instance; use it with `async with`, for one request at a time.

    Its methods have no time limit: use `anyio.move_on_after`, and drop the client after a time-out. They
    raise NoAnswer when the connection can't be made or breaks, and its subclass NotReady when the cluster is
    not complete.
    """

    def __init__(self, address: Address, transport: Transport = PLAIN) -> None:
        self._connection = Connection(address, read_response, transport)
        self._requests = 0

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._connection.drop()

    async def propose(self, value: Value) -> Chosen | Refused:
        """Propose a value; the answer has the chosen value, which may be another one."""
        return await self._ask(lambda request: ClientPropose(request, value), Chosen, Refused)

    async def get(self) -> Chosen | Unknown | Refused:
        """The chosen value, if the instance knows it."""
        return await self._ask(ClientGet, Chosen, Unknown, Refused)

    async def status(self) -> Status | Waiting:
        """The status of the instance."""
        return await self._ask(ClientStatus, Status, Waiting)

    async def _ask(self, request: Callable[[int], Request], *kinds: type[_T]) -> _T:
        self._requests += 1
        await self._connection.open()
        answer = await self._connection.ask(request(self._requests))
        if isinstance(answer, Waiting) and Waiting not in kinds:
            raise NotReady(f"{self._connection.address} is {answer}")
        if not isinstance(answer, kinds):
            raise NoAnswer(f"{self._connection.address} answered {request} with {answer}")
        return answer


async def propose(
    addresses: Sequence[Address], value: Value, *, timeout_s: float, transport: Transport = PLAIN
) -> Chosen | Refused:
    """Propose to these instances, one after the other, until one answers with the chosen value.

    Proposing to several instances is safe: all of them answer with the same value.

    Raises: NoAnswer; NotReady, when none has a cluster yet.
    """
    return await _ask_in_turn(addresses, lambda client: client.propose(value), timeout_s, transport)


async def get(
    addresses: Sequence[Address], *, timeout_s: float, transport: Transport = PLAIN
) -> Chosen | Unknown | Refused:
    """Ask these instances, one after the other, until one knows the chosen value; Unknown if none knows it.

    Raises: NoAnswer, when no instance answers.
    """
    return await _ask_in_turn(addresses, Client.get, timeout_s, transport)


async def status(address: Address, *, timeout_s: float, transport: Transport = PLAIN) -> Status | Waiting:
    """Ask an instance for its status.

    Raises: NoAnswer.
    """
    return await _ask_in_turn([address], Client.status, timeout_s, transport)


async def _ask_in_turn(
    addresses: Sequence[Address],
    ask: Callable[[Client], Awaitable[_T]],
    timeout_s: float,
    transport: Transport,
) -> _T:
    """The first answer that has a value, or else the last answer. The time is shared out evenly."""
    deadline = anyio.current_time() + timeout_s
    answers: list[_T] = []
    silences: list[str] = []
    is_ready = False
    for at, address in enumerate(addresses):
        share_s = (deadline - anyio.current_time()) / (len(addresses) - at)
        try:
            with anyio.fail_after(max(share_s, 0)):
                async with Client(address, transport) as client:
                    answers.append(await ask(client))
        except NoAnswer as error:
            is_ready = is_ready or not isinstance(error, NotReady)
            silences.append(str(error))
        except TimeoutError:
            is_ready = True
            silences.append(f"{address}: no answer in time")
        if answers and not isinstance(answers[-1], Unknown | Refused):
            break
    if not answers:
        why = "; ".join(silences) or "there is no instance to ask"
        raise NoAnswer(why) if is_ready else NotReady(why)
    return answers[-1]
