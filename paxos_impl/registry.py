"""The registry: gives every instance its id, and all of them one and the same view of the cluster.

What must always hold: an entry is durable before anybody hears of it, and requests are decided one at a
time, although writing one down takes a while.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from ostrakon.paxos_impl.book import Book, Denied, Entry, Granted, Registration
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.door import FIRST_WORDS_S, Door, listen_at
from ostrakon.paxos_impl.frame import BadFrame, FrameReader, frame
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.remark import Remark, Remarks, silence
from ostrakon.paxos_impl.storage import Log, StorageFailed, WrongStorage
from ostrakon.paxos_impl.transport import PLAIN, Stranger, Transport
from ostrakon.paxos_impl.wire import decoded

_FORMAT = "paxos-registry-1"
_CHUNK_BYTES = 1 << 14


class Register(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Make me a member of the cluster. Answered with a `Registration`."""

    ip: str
    port: int
    token: str
    cluster_size: int


class GetMembership(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Who are the members? Answered with a `View`."""


class View(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The agreed membership, or how far it is from being complete."""

    membership: Membership | None
    registered: int
    cluster_size: int | None


RegistryRequest = Register | GetMembership
RegistryAnswer = Granted | Denied | View


class _Header(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first record of the registry's log."""

    format: str
    cluster_id: str


class _Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Every further record: an entry of the book."""

    entry: Entry
    cluster_size: int


async def serve_registry(
    listen: Address,
    *,
    disk: Disk,
    new_cluster_id: Callable[[], str],
    log: Remarks = silence,
    transport: Transport = PLAIN,
    make: Callable[[Disk, Remarks], Registry] | None = None,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a registry until cancelled. `new_cluster_id` is called once in the life of its disk.

    `make` makes another kind of registry. Raises: DamagedLog; WrongStorage; StorageFailed; OSError, when it
    can't listen.
    """
    registry = (make or Registry)(disk, log)
    await registry.recover(new_cluster_id)
    listeners = await listen_at(listen)
    door = Door(registry.receive, log, transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, door.welcome, listeners)
        task_status.started(Address(listen.host, listeners[0].socket.getsockname()[1]))
        failure = await registry.wait_failed()
        nursery.cancel_scope.cancel()
    raise failure


class Registry:
    """Keeps the book on a disk and answers requests about it."""

    def __init__(self, disk: Disk, log: Remarks) -> None:
        self._log = log
        self._file = Log(disk, "registry")
        self._book = Book("")
        self._one_at_a_time = trio.Lock()
        self._failed = trio.Event()
        self._failure: StorageFailed

    async def recover(self, new_cluster_id: Callable[[], str]) -> None:
        """Read the book, or begin one.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        payloads = await self._file.load()
        if payloads is None:
            self._book = Book(new_cluster_id())
            await self._file.replace([_encode(_Header(_FORMAT, self._book.cluster_id))])
        else:
            self._book = _read_book(payloads)
            # What was read may not be durable: a sync that failed says nothing about what was written.
            await self._file.replace(payloads)
            self._print()

    async def wait_failed(self) -> StorageFailed:
        """Return when the disk has failed, and how."""
        await self._failed.wait()
        return self._failure

    async def register(self, request: Register) -> Registration:
        """Decide on a request; on return the decision is durable.

        Raises: StorageFailed.
        """
        address = Address(request.ip, request.port)
        async with self._one_at_a_time:
            book, answer = self._decide(address, request)
            if book is not self._book:
                await self._write(book)
                self._book = book
                self._print()
        if isinstance(answer, Denied):
            line = f"denied {address}: {answer.why}"
            self._log(Remark(line, event="denied", address=str(address), why=answer.why))
        return answer

    def _decide(self, address: Address, request: Register) -> tuple[Book, Registration]:
        return self._book.register(address, request.token, request.cluster_size)

    async def _write(self, book: Book) -> None:
        """Make the last entry of a book durable."""
        assert book.cluster_size is not None, "who registers says how many there are to be"
        await self._file.append(_encode(_Line(book.entries[-1], book.cluster_size)))

    async def receive(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end.

        Raises: BadFrame; Stranger, when it keeps silent; trio.BrokenResourceError.
        """
        reader = FrameReader()
        try:
            while chunk := await _next_chunk(stream):
                for body in reader.feed(chunk):
                    answer = await self._answer(decoded(body, _REQUESTS, _OURS))
                    await stream.send_all(frame(_encode(answer)))
        except StorageFailed as error:
            self._failure = error
            self._failed.set()

    async def _answer(self, request: RegistryRequest) -> RegistryAnswer:
        match request:
            case Register():
                return await self.register(request)
            case GetMembership():
                book = self._book
                return View(book.membership, len(book.entries), book.cluster_size)

    def _print(self) -> None:
        listed = ", ".join(f"{n}: {entry.address}" for n, entry in enumerate(self._book.entries))
        addresses = [str(entry.address) for entry in self._book.entries]
        self._log(Remark(f"registered servers: {listed or 'none'}", event="registered", servers=addresses))


async def _next_chunk(stream: trio.abc.Stream) -> bytes | bytearray:
    try:
        with trio.fail_after(FIRST_WORDS_S):
            return await stream.receive_some(_CHUNK_BYTES)
    except trio.TooSlowError:
        raise Stranger(f"it has asked nothing for {FIRST_WORDS_S:g} s") from None


_encode = msgspec.msgpack.Encoder().encode
_REQUESTS: msgspec.msgpack.Decoder[RegistryRequest] = msgspec.msgpack.Decoder(RegistryRequest)
_ANSWERS: msgspec.msgpack.Decoder[RegistryAnswer] = msgspec.msgpack.Decoder(RegistryAnswer)
_OURS = "a message of the registry's"


def _read_book(payloads: list[bytes]) -> Book:
    try:
        header = msgspec.msgpack.decode(payloads[0] if payloads else b"", type=_Header)
        lines = [msgspec.msgpack.decode(payload, type=_Line) for payload in payloads[1:]]
    except msgspec.DecodeError as error:
        raise WrongStorage(f"registry is not the log of a registry: {error}") from None
    if header.format != _FORMAT:
        raise WrongStorage(f"registry has the format {header.format!r}; this version reads {_FORMAT!r}")
    size = lines[-1].cluster_size if lines else None
    return Book(header.cluster_id, size, tuple(line.entry for line in lines))


async def ask_registry(
    address: Address, request: RegistryRequest, transport: Transport = PLAIN
) -> RegistryAnswer:
    """Ask a registry one question.

    Raises: OSError; trio.BrokenResourceError; BadFrame.
    """
    async with await transport.dial(address) as stream:
        await stream.send_all(frame(_encode(request)))
        reader = FrameReader()
        while chunk := await stream.receive_some(_CHUNK_BYTES):
            for body in reader.feed(chunk):
                return decoded(body, _ANSWERS, _OURS)
    raise BadFrame(f"the registry at {address} closed the connection without an answer")
