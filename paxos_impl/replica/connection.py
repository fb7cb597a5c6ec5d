"""A client's connection to one replica: a request, its answer, and then the next."""

from __future__ import annotations

import trio

from paxos_impl.client import NoAnswer
from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.membership import Address
from paxos_impl.replica.wire import Answer, Request, read_response
from paxos_impl.wire import framed


class Connection:
    """Made when it is first needed; closed by `drop`, and made anew after that."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._stream: trio.SocketStream | None = None
        self._reader = FrameReader()

    async def open(self) -> None:
        """Be connected.

        Raises: NoAnswer.
        """
        if self._stream is None:
            try:
                self._stream = await trio.open_tcp_stream(self.address.host, self.address.port)
            except OSError as error:
                raise NoAnswer(f"{self.address}: {error}") from error
            self._reader = FrameReader()

    async def ask(self, request: Request) -> Answer:
        """The answer to a request, which may take as long as it takes.

        Raises: NoAnswer, when the connection breaks; what was asked for may be done all the same.
        """
        assert self._stream is not None, "open it first"
        try:
            await self._stream.send_all(framed(request))
            while chunk := await self._stream.receive_some():
                for body in self._reader.feed(chunk):
                    response = read_response(body)
                    if response.request == request.request:
                        return response.answer
        except (OSError, trio.BrokenResourceError, BadFrame) as error:
            raise NoAnswer(f"{self.address}: {error}") from error
        raise NoAnswer(f"{self.address}: it closed the connection")

    async def drop(self) -> None:
        """Close the connection, at once."""
        if (stream := self._stream) is not None:
            self._stream = None
            # `aclose_forcefully` is a checkpoint, and closes all the same when it is cancelled.
            await trio.aclose_forcefully(stream)
