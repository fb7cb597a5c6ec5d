"""The registry: gives each instance its id, and the same membership to all of them.

What must always hold: an entry is durable before any instance is told of it, and requests are decided one at
a time, although saving an entry takes a while.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from ostrakon.paxos_impl.registry.state import Denied, Granted, Registration, RegistryEntry, RegistryState
from ostrakon.paxos_impl.server.limits import LIMITS
from ostrakon.paxos_impl.server.listener import Listener, listen_at
from ostrakon.paxos_impl.server.log_record import LogRecord, LogSink, no_log
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WriteAheadLog, WrongStorage
from ostrakon.paxos_impl.wire.decree import decoded
from ostrakon.paxos_impl.wire.frame import BadFrame, FrameReader, frame
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.transport import PLAIN, NotAuthenticated, Transport

_FORMAT = "paxos-registry-1"
_CHUNK_BYTES = 1 << 14


class Register(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Requests membership of the cluster. Answered with a `Registration`."""

    ip: str
    port: int
    token: str
    cluster_size: int
    backup: str = ""
    """Id of the backup that the instance begins with; empty for none."""


class GetMembership(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the members. Answered with a `View`."""


class View(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The membership, or how many have registered until it is complete."""

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
    """Every further record: an entry."""

    entry: RegistryEntry
    cluster_size: int
    backup: str = ""


async def serve_registry(
    listen: Address,
    *,
    disk: Disk,
    new_cluster_id: Callable[[], str],
    log: LogSink = no_log,
    transport: Transport = PLAIN,
    make: Callable[[Disk, LogSink], Registry] | None = None,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a registry until cancelled. `new_cluster_id` is called once, when the disk is empty.

    `make` makes another kind of registry. Raises: DamagedLog; WrongStorage; StorageFailed; OSError, when it
    can't listen.
    """
    registry = (make or Registry)(disk, log)
    await registry.recover(new_cluster_id)
    listeners = await listen_at(listen)
    listener = Listener(registry.receive, log, transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, listener.serve_connection, listeners)
        task_status.started(Address(listen.host, listeners[0].socket.getsockname()[1]))
        failure = await registry.wait_failed()
        nursery.cancel_scope.cancel()
    raise failure


class Registry:
    """Keeps its state on a disk and answers requests."""

    def __init__(self, disk: Disk, log: LogSink) -> None:
        self._log = log
        self._file = WriteAheadLog(disk, "registry")
        self._state = RegistryState("")
        self._one_at_a_time = trio.Lock()
        self._failed = trio.Event()
        self._failure: StorageFailed

    async def recover(self, new_cluster_id: Callable[[], str]) -> None:
        """Read the state, or begin with an empty one.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        payloads = await self._file.load()
        if payloads is None:
            self._state = RegistryState(new_cluster_id())
            await self._file.replace([_encode(_Header(_FORMAT, self._state.cluster_id))])
        else:
            self._state = _read_state(payloads)
            # Data that was read may not be durable: the sync that should have written it may have failed.
            await self._file.replace(payloads)
            self._print()

    async def wait_failed(self) -> StorageFailed:
        """Return when a disk operation has failed, with that failure."""
        await self._failed.wait()
        return self._failure

    async def register(self, request: Register) -> Registration:
        """Decide on a request; the decision is durable on return.

        Raises: StorageFailed.
        """
        address = Address(request.ip, request.port)
        async with self._one_at_a_time:
            state, answer = self._decide(address, request)
            if state is not self._state:
                await self._write(state)
                self._state = state
                self._print()
        if isinstance(answer, Denied):
            line = f"denied {address}: {answer.why}"
            self._log(LogRecord(line, event="denied", address=str(address), why=answer.why))
        return answer

    def _decide(self, address: Address, request: Register) -> tuple[RegistryState, Registration]:
        return self._state.register(address, request.token, request.cluster_size, request.backup)

    async def _write(self, state: RegistryState) -> None:
        """Make the last entry durable."""
        assert state.cluster_size is not None, "the first entry sets the cluster size"
        await self._file.append(_encode(_Line(state.entries[-1], state.cluster_size, state.backup)))

    async def receive(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until it ends.

        Raises: BadFrame; NotAuthenticated, when no request arrives in time; trio.BrokenResourceError.
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
                state = self._state
                return View(state.membership, len(state.entries), state.cluster_size)

    def _print(self) -> None:
        listed = ", ".join(f"{n}: {entry.address}" for n, entry in enumerate(self._state.entries))
        addresses = [str(entry.address) for entry in self._state.entries]
        self._log(LogRecord(f"registered servers: {listed or 'none'}", event="registered", servers=addresses))


async def _next_chunk(stream: trio.abc.Stream) -> bytes | bytearray:
    try:
        with trio.fail_after(LIMITS.first_request_s):
            return await stream.receive_some(_CHUNK_BYTES)
    except trio.TooSlowError:
        raise NotAuthenticated(f"it sent no request within {LIMITS.first_request_s:g} s") from None


_encode = msgspec.msgpack.Encoder().encode
_REQUESTS: msgspec.msgpack.Decoder[RegistryRequest] = msgspec.msgpack.Decoder(RegistryRequest)
_ANSWERS: msgspec.msgpack.Decoder[RegistryAnswer] = msgspec.msgpack.Decoder(RegistryAnswer)
_OURS = "a message of the registry protocol"


def _read_state(payloads: list[bytes]) -> RegistryState:
    try:
        header = msgspec.msgpack.decode(payloads[0] if payloads else b"", type=_Header)
        lines = [msgspec.msgpack.decode(payload, type=_Line) for payload in payloads[1:]]
    except msgspec.DecodeError as error:
        raise WrongStorage(f"registry is not the log of a registry: {error}") from None
    if header.format != _FORMAT:
        raise WrongStorage(f"registry has the format {header.format!r}; this version reads {_FORMAT!r}")
    if not lines:
        return RegistryState(header.cluster_id)
    entries = tuple(line.entry for line in lines)
    return RegistryState(header.cluster_id, lines[-1].cluster_size, entries, lines[-1].backup)


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
